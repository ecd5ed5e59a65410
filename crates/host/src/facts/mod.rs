//! What one host does: CPU time, load, memory, TCP, network and disk devices, pressure, watched processes, as the
//! kernel counts them, read when asked and not before.
//!
//! Nothing is interpreted: counters stay counters since the start of the host, and names of the kernel's stay as they
//! are. What a kernel or a container does not tell is left out, and is no error. The files are read here and not by the
//! crate `procfs`: it has no interrupts, no `netstat` and no `sockstat`, and makes fields of Rust of names that go out
//! again as they came in.

mod devices;
mod files;
mod kernel;
mod member;
mod memory;
mod network;
pub mod processes;

use std::io;
use std::path::Path;
use std::time::Instant;

pub use devices::{Disk, Link};
pub use kernel::{Cpu, MODES, Pressure};
pub(crate) use member::Stat;
pub use memory::Memory;
pub use processes::{Group, GroupFacts, STATES};

use files::Files;
use processes::Watched;

/// A host that is looked at.
#[derive(Debug)]
pub struct Host {
    files: Files,
    watched: Watched,
    /// As last told, for a core's times must not fall.
    cpus: Vec<Cpu>,
}

/// A host at one moment.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Snapshot {
    /// A core each.
    pub cpus: Vec<Cpu>,
    /// Processes that run or wait to run, on average over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Context switches since the start.
    pub context_switches: Option<u64>,
    /// Interrupts since the start.
    pub interrupts: Option<u64>,
    /// Processes and threads begun since the start.
    pub forks: Option<u64>,
    /// Processes that could run now.
    pub running: Option<u64>,
    /// Processes that wait for a disk now.
    pub blocked: Option<u64>,
    /// When the host started, in seconds since 1970.
    pub boot_time_s: Option<u64>,
    /// What memory is used for.
    pub memory: Vec<Memory>,
    /// Counts of protocols, such as `Tcp_InSegs`: what is worth watching of `/proc/net/snmp` and `netstat`.
    pub protocols: Vec<(String, u64)>,
    /// Sockets by kind, such as `TCP_inuse`; memory of them in pages.
    pub sockets: Vec<(String, u64)>,
    /// Network devices.
    pub links: Vec<Link>,
    /// Disks.
    pub disks: Vec<Disk>,
    /// Open files of all processes, and how many there may be.
    pub files: Option<(u64, u64)>,
    /// Time lost for want of something.
    pub pressure: Vec<Pressure>,
    /// Watched processes, in the order in which they were asked for.
    pub groups: Vec<GroupFacts>,
}

impl Snapshot {
    /// Memory by the kernel's name for it.
    pub fn memory_of(&self, name: &str) -> Option<u64> {
        self.memory.iter().find(|memory| memory.name == name).map(|memory| memory.value)
    }

    /// A protocol's count by its name, such as `Tcp_InSegs`.
    pub fn protocol(&self, name: &str) -> Option<u64> {
        self.protocols.iter().find(|(known, _)| known == name).map(|&(_, value)| value)
    }
}

impl Host {
    /// The host below `root`, `/` for this one, with the processes of these names watched.
    pub fn open(root: &Path, processes: &[String]) -> io::Result<Self> {
        Ok(Self { files: Files::open(root)?, watched: Watched::new(processes), cpus: Vec::new() })
    }

    /// The host as it is now.
    pub fn look(&mut self) -> Snapshot {
        self.look_at(Instant::now())
    }

    fn look_at(&mut self, now: Instant) -> Snapshot {
        let mut seen = Snapshot::default();
        kernel::read(&mut self.files, &mut seen);
        kernel::keep(&mut seen.cpus, &mut self.cpus);
        memory::read(&mut self.files, &mut seen);
        network::read(&mut self.files, &mut seen);
        devices::read(&mut self.files, &mut seen);
        seen.groups = self.watched.look(&mut self.files, seen.boot_time_s, seen.forks, now);
        seen
    }
}

#[cfg(test)]
mod tests;
