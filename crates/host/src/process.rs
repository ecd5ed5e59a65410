//! What one process uses: CPU time, memory, threads, context switches, over all its threads.

use procfs::process::Process;
use procfs::{ProcError, ProcResult};
use serde::Serialize;

use crate::Error;

/// A process's use of the machine since it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProcessFacts {
    /// The process's id.
    pub pid: u32,
    /// The program's name, as the kernel cuts it (15 characters).
    pub name: String,
    /// CPU time in user mode, in steps of the kernel's clock tick (10 ms mostly).
    pub user_ms: u64,
    /// CPU time in the kernel, in the same steps.
    pub system_ms: u64,
    /// Memory in RAM now.
    pub resident_bytes: u64,
    /// The most memory in RAM it ever had (`VmHWM`).
    pub peak_resident_bytes: u64,
    /// Its threads.
    pub threads: u64,
    /// Times its present threads gave a core up because they had to wait.
    pub voluntary_switches: u64,
    /// Times a core was taken from its present threads.
    pub involuntary_switches: u64,
}

impl ProcessFacts {
    /// CPU time in all.
    pub fn cpu_ms(&self) -> u64 {
        self.user_ms + self.system_ms
    }
}

/// What is asked of a process often: one file is read, and no thread of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in user mode and in the kernel, in steps of the kernel's clock tick.
    pub cpu_ms: u64,
    /// Memory in RAM now.
    pub resident_bytes: u64,
    /// Its threads.
    pub threads: u64,
}

/// What the process `pid` uses.
pub fn usage(pid: u32) -> Result<Usage, Error> {
    let read = || {
        let stat = Process::new(i32::try_from(pid).unwrap_or(i32::MAX))?.stat()?;
        Ok(Usage {
            cpu_ms: (stat.utime + stat.stime) * tick_ms(),
            resident_bytes: stat.rss * procfs::page_size(),
            threads: u64::try_from(stat.num_threads).unwrap_or(0),
        })
    };
    read().map_err(|source| failed(pid, source))
}

/// The facts of a process and its children taken together, such as a master and its worker.
pub fn family(pid: u32) -> Result<ProcessFacts, Error> {
    let mut all = process(pid)?;
    for child in children(pid) {
        // One that ends meanwhile has nothing more to say.
        let Ok(facts) = process(child) else { continue };
        all.user_ms += facts.user_ms;
        all.system_ms += facts.system_ms;
        all.resident_bytes += facts.resident_bytes;
        all.peak_resident_bytes += facts.peak_resident_bytes;
        all.threads += facts.threads;
        all.voluntary_switches += facts.voluntary_switches;
        all.involuntary_switches += facts.involuntary_switches;
    }
    Ok(all)
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()?.tasks().ok());
    let of_task = |task: procfs::process::Task| task.children().unwrap_or_default();
    tasks.into_iter().flatten().filter_map(Result::ok).flat_map(of_task).collect()
}

/// Reads the facts of the process `pid`.
pub fn process(pid: u32) -> Result<ProcessFacts, Error> {
    read(pid).map_err(|source| failed(pid, source))
}

fn failed(pid: u32, source: ProcError) -> Error {
    match source {
        ProcError::NotFound(_) => Error::NoProcess { pid },
        // A process that ends while it is read: the kernel says ESRCH for an open file of it.
        ProcError::Io(error, _) if error.raw_os_error() == Some(3) => Error::NoProcess { pid },
        source => Error::Proc { what: format!("process {pid}"), source },
    }
}

fn tick_ms() -> u64 {
    1000 / procfs::ticks_per_second().max(1)
}

fn read(pid: u32) -> ProcResult<ProcessFacts> {
    const KIB: u64 = 1024;
    let process = Process::new(i32::try_from(pid).unwrap_or(i32::MAX))?;
    let stat = process.stat()?;
    let status = process.status()?;
    let (voluntary_switches, involuntary_switches) = switches(&process)?;
    Ok(ProcessFacts {
        pid,
        name: stat.comm,
        user_ms: stat.utime * tick_ms(),
        system_ms: stat.stime * tick_ms(),
        resident_bytes: status.vmrss.unwrap_or(0) * KIB,
        peak_resident_bytes: status.vmhwm.unwrap_or(0) * KIB,
        threads: status.threads,
        voluntary_switches,
        involuntary_switches,
    })
}

/// Summed over the threads: the process's own numbers are those of its first thread only.
fn switches(process: &Process) -> ProcResult<(u64, u64)> {
    let (mut voluntary, mut involuntary) = (0, 0);
    for task in process.tasks()? {
        // A thread may end while the others are read.
        let Ok(status) = task.and_then(|task| task.status()) else { continue };
        voluntary += status.voluntary_ctxt_switches.unwrap_or(0);
        involuntary += status.nonvoluntary_ctxt_switches.unwrap_or(0);
    }
    Ok((voluntary, involuntary))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let before = process(std::process::id()).unwrap();
        let mut sum = 0u64;
        let mut after = before.clone();
        while after.cpu_ms() < before.cpu_ms() + 30 {
            sum = (0..100_000u64).fold(sum, |sum, n| std::hint::black_box(sum.wrapping_mul(31).wrapping_add(n)));
            after = process(std::process::id()).unwrap();
        }
        assert!(before.resident_bytes > 0 && after.peak_resident_bytes > 0, "{after:?} {sum}");
        assert!(after.threads >= 1 && !after.name.is_empty(), "{after:?}");
    }

    #[test]
    fn the_peak_of_memory_stays() {
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        let with = process(std::process::id()).unwrap();
        drop(block);
        assert!(with.resident_bytes >= 60 << 20);
        // The kernel counts pages in batches a thread: the peak may lag behind the present by some of them.
        assert!(process(std::process::id()).unwrap().peak_resident_bytes >= 60 << 20);
    }

    #[test]
    fn a_process_that_has_ended_is_said_to_be_none() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let pid = child.id();
        assert!(matches!(process(pid), Err(Error::NoProcess { pid: said }) if said == pid));
    }
}
