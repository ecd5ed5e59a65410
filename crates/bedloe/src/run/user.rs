//! Who the worker runs as: the `user` directive, and what of a process's rights is given up.

use std::ffi::CString;
use std::os::fd::AsFd;

use anyhow::{Context, bail};
use conf::tree::Main;
use nix::unistd::{Gid, Group, Uid, User, initgroups, setgid, setuid};
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs};

use crate::check::{DEFAULT_GROUPS, DEFAULT_USER};

/// A user with a group, as this machine knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    name: CString,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// The worker's; `None` where this process is not root's and cannot choose.
    pub(super) fn of_worker(main: &Main) -> anyhow::Result<Option<Self>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let Some((user, group)) = &main.user else { return Self::by_default().map(Some) };
        let uid = user_named(&user.name)?;
        // Without a group nginx takes the one that is named like the user.
        let gid = group_named(&group.as_ref().unwrap_or(user).name)?;
        Ok(Some(Self { name: CString::new(user.name.as_str())?, uid, gid }))
    }

    fn by_default() -> anyhow::Result<Self> {
        let gid = DEFAULT_GROUPS.iter().find_map(|name| group_named(name).ok());
        let (Ok(uid), Some(gid)) = (user_named(DEFAULT_USER), gid) else {
            bail!("this machine has no user {DEFAULT_USER}: name one that may serve, `user NAME;`");
        };
        Ok(Self { name: CString::new(DEFAULT_USER)?, uid, gid })
    }

    /// Makes a file the worker's, as nginx does with logs that it opens anew.
    pub(super) fn own(&self, file: impl AsFd) -> std::io::Result<()> {
        let owner = rustix::fs::Uid::from_raw(self.uid.as_raw());
        if rustix::fs::fstat(&file)?.st_uid != owner.as_raw() {
            rustix::fs::fchown(file, Some(owner), None)?;
        }
        Ok(())
    }

    /// Becomes that user, with its groups, for good.
    fn become_it(&self) -> anyhow::Result<()> {
        initgroups(&self.name, self.gid)
            .with_context(|| format!("initgroups({:?}, {}) failed", self.name, self.gid))?;
        setgid(self.gid).with_context(|| format!("setgid({}) failed", self.gid))?;
        setuid(self.uid).with_context(|| format!("setuid({}) failed", self.uid))
    }
}

/// Gives up all rights beyond those of a plain process of `account`. Called before there are other threads.
pub(super) fn drop_rights(account: Option<&Account>) -> anyhow::Result<()> {
    if let Some(account) = account {
        account.become_it()?;
    }
    // Nothing that it could start would have more rights than it has; it starts nothing.
    set_no_new_privs(true).context("no_new_privs cannot be set")?;
    // `user root;` is somebody's choice, and root without its rights is nobody.
    if !geteuid().is_root() {
        // A service manager may have given a right to bind low ports: that was for the master.
        clear_ambient_capability_set().context("ambient rights cannot be given up")?;
        let none = CapabilitySet::empty();
        let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
        set_capabilities(None, sets).context("capabilities cannot be given up")?;
    }
    Ok(())
}

fn user_named(name: &str) -> anyhow::Result<Uid> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid),
        Ok(None) => bail!("getpwnam(\"{name}\") failed: this machine has no such user"),
        Err(error) => bail!("getpwnam(\"{name}\") failed: {error}"),
    }
}

fn group_named(name: &str) -> anyhow::Result<Gid> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => bail!("getgrnam(\"{name}\") failed: this machine has no such group"),
        Err(error) => bail!("getgrnam(\"{name}\") failed: {error}"),
    }
}
