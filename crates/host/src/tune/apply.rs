//! Does what a plan says: the record first, then files, values, processes, systemd. What fails has all of it undone.

use std::io;

use super::kernel::Machine;
use super::record::{Progress, Record, Store, path};
use super::root::Root;
use super::undo::{put_back, tell_systemd};
use super::{Ask, Error, Plan};

/// Carries a plan out.
pub fn apply(root: &Root, plan: &Plan, ask: &Ask, machine: &mut dyn Machine) -> Result<(), Error> {
    if plan.is_empty() {
        return Ok(());
    }
    let store = Store::make(root)?;
    let done = recorded(root, &store, plan, ask, machine);
    if done.is_err() {
        // What went wrong before is what is to be told.
        let _ = store.clear();
    }
    done
}

fn recorded(root: &Root, store: &Store<'_>, plan: &Plan, ask: &Ask, machine: &mut dyn Machine) -> Result<(), Error> {
    let records = store.records()?;
    if let Some((number, _)) = records.iter().find(|(_, record)| record.progress == Progress::Begun) {
        let why = "is of a run that was cut off: `bedloe tune undo` puts back what that changed";
        return Err(Error::Record { path: path(*number), why: why.to_owned() });
    }
    is_as_planned(root, plan, machine)?;
    let number = records.last().map_or(1, |(number, _)| number + 1);
    let mut record = Record::of(plan, ask);
    store.save(number, &record)?;
    let done = carry_out(root, plan, machine).and_then(|()| {
        record.progress = Progress::Done;
        store.save(number, &record)
    });
    let Err(cause) = done else { return Ok(()) };
    let left = put_back(root, &record, machine, true);
    let untold = tell_systemd(root, &record, machine);
    if left.is_empty() {
        store.remove(number)?;
    }
    Err(Error::RolledBack { cause: Box::new(cause), left, untold })
}

/// Between showing the plan and carrying it out somebody else may have been at work.
fn is_as_planned(root: &Root, plan: &Plan, machine: &dyn Machine) -> Result<(), Error> {
    let changed = || io::Error::other("it was changed meanwhile; look at it again");
    for file in &plan.files {
        let now = root.saved(&file.path).map_err(Error::file("read", &file.path))?;
        if now != file.before {
            return Err(Error::file("replace", &file.path)(changed()));
        }
    }
    for value in &plan.values {
        let now = machine.read(&value.path).map_err(Error::file("read", &value.path))?;
        if now != value.before {
            return Err(Error::file("set", &value.path)(changed()));
        }
    }
    Ok(())
}

fn carry_out(root: &Root, plan: &Plan, machine: &mut dyn Machine) -> Result<(), Error> {
    for folder in &plan.folders {
        let made = root.make_folder(folder, 0o755).and_then(|()| root.sync(folder));
        made.map_err(Error::file("make the folder", folder))?;
    }
    for file in &plan.files {
        root.replace(&file.path, &file.after).map_err(Error::file("write", &file.path))?;
    }
    for value in &plan.values {
        let what = || format!("{} = {}", value.name, value.after);
        let refused = |said| Error::Refused { what: what(), said };
        machine.write(&value.path, &value.after).map_err(refused)?;
        // Some settings are cut to what the kernel allows, without a word.
        let taken = machine.read(&value.path).map_err(refused)?;
        if taken != value.after {
            return Err(refused(io::Error::other(format!("the kernel made {taken:?} of it"))));
        }
    }
    for process in &plan.processes {
        // One that has ended needs nothing any more.
        if machine.limits(process.pid, process.start) != Some(process.before) {
            continue;
        }
        let what = format!("{} open files for {} (process {})", process.after.soft, process.name, process.pid);
        machine.set_limits(process.pid, process.after).map_err(|said| Error::Refused { what, said })?;
    }
    if plan.reloads_systemd {
        let what = "systemctl daemon-reload".to_owned();
        machine.reload_systemd().map_err(|said| Error::Refused { what, said })?;
    }
    Ok(())
}
