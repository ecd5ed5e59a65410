//! One watched process: its files read, and counts kept that the kernel forgets when a thread ends.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::files::Files;
use super::kernel::seconds_of_ticks;

/// Threads of a process whose context switches are read: a file each. A Java server has some hundred.
const THREADS_MAX: usize = 4096;
/// Threads whose switches are read at each look; those of processes with more wait for [`SELDOM`].
const THREADS_AT_ONCE: u64 = 16;
/// How often what is dear, or hardly ever changes, is read.
const SELDOM: Duration = Duration::from_secs(5);
/// Open files that are counted one by one, on kernels that do not tell how many there are.
const FILES_MAX: usize = 100_000;

/// What a process is doing, as process-exporter puts it.
pub const STATES: [&str; 5] = ["Running", "Sleeping", "Waiting", "Zombie", "Other"];

/// Counts that only grow.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// CPU time in user mode. Whole ticks, for sums of fractions depend on their order, and could fall.
    user_ticks: u64,
    /// CPU time in the kernel.
    system_ticks: u64,
    /// Pages that were found in memory.
    pub minor_faults: u64,
    /// Pages that were read from a disk.
    pub major_faults: u64,
    /// Bytes read from disks; 0 where it may not be known.
    pub read_bytes: u64,
    /// Bytes written to disks; 0 where it may not be known.
    pub written_bytes: u64,
    /// Times a thread gave its core up because it had to wait.
    pub voluntary_switches: u64,
    /// Times a core was taken from a thread.
    pub involuntary_switches: u64,
}

impl Counts {
    /// CPU time in user mode.
    pub fn user_s(&self) -> f64 {
        seconds_of_ticks(self.user_ticks)
    }

    /// CPU time in the kernel.
    pub fn system_s(&self) -> f64 {
        seconds_of_ticks(self.system_ticks)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.user_ticks += other.user_ticks;
        self.system_ticks += other.system_ticks;
        self.minor_faults += other.minor_faults;
        self.major_faults += other.major_faults;
        self.read_bytes += other.read_bytes;
        self.written_bytes += other.written_bytes;
        self.voluntary_switches += other.voluntary_switches;
        self.involuntary_switches += other.involuntary_switches;
    }
}

/// A process that is watched.
#[derive(Debug, Default)]
pub(super) struct Member {
    /// When it started, in ticks since the host did: with the id it names the process.
    pub(super) started: u64,
    pub(super) counts: Counts,
    pub(super) state: usize,
    pub(super) threads: u64,
    pub(super) virtual_bytes: u64,
    pub(super) resident_bytes: u64,
    pub(super) swapped_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) files_limit: Option<u64>,
    /// Whether its bytes from and to disks may be known.
    pub(super) has_io: bool,
    /// Voluntary and involuntary switches of each thread when they were last read.
    switches: HashMap<u32, (u64, u64)>,
    /// When the seldom ones were last read.
    seldom_at: Option<Instant>,
}

/// What `/proc/PID/stat` says.
#[derive(Debug)]
pub(crate) struct Stat<'text> {
    pub(crate) name: &'text str,
    state: &'text str,
    numbers: Vec<&'text str>,
}

impl<'text> Stat<'text> {
    /// The name is in brackets, and may hold some itself.
    pub(crate) fn read(text: &'text str) -> Option<Self> {
        let (before, after) = text.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let mut words = after.split_ascii_whitespace();
        Some(Self { name, state: words.next()?, numbers: words.collect() })
    }

    /// A field by its number in proc_pid_stat(5), from 4 on.
    fn field(&self, number: usize) -> Option<u64> {
        self.numbers.get(number - 4)?.parse().ok()
    }

    /// In ticks since the host did.
    pub(crate) fn started(&self) -> Option<u64> {
        self.field(22)
    }

    fn state(&self) -> usize {
        match self.state {
            "R" => 0,
            "S" => 1,
            "D" => 2,
            "Z" => 3,
            _ => 4,
        }
    }
}

impl Member {
    /// Takes what the process's `stat` says, and reads its other files. `None` where it is not understood.
    pub(super) fn update(&mut self, pid: u32, stat: &Stat<'_>, files: &mut Files, now: Instant) -> Option<()> {
        self.started = stat.started()?;
        self.state = stat.state();
        self.counts.minor_faults = stat.field(10)?;
        self.counts.major_faults = stat.field(12)?;
        self.counts.user_ticks = stat.field(14)?;
        self.counts.system_ticks = stat.field(15)?;
        self.threads = stat.field(20)?;
        self.virtual_bytes = stat.field(23)?;
        self.resident_bytes = stat.field(24)?.saturating_mul(rustix::param::page_size() as u64);
        self.read_others(pid, files, now);
        Some(())
    }

    /// What may be kept from this user, or be gone in this moment, stays as it was.
    fn read_others(&mut self, pid: u32, files: &mut Files, now: Instant) {
        let is_time = self.seldom_at.is_none_or(|before| now.duration_since(before) >= SELDOM);
        if is_time {
            self.seldom_at = Some(now);
            let limit = files.read(&format!("proc/{pid}/limits")).and_then(|text| number(text, "Max open files"));
            self.files_limit = limit.or(self.files_limit);
        }
        if let Some(text) = files.read(&format!("proc/{pid}/io")) {
            self.has_io = true;
            self.counts.read_bytes = number(text, "read_bytes:").unwrap_or(self.counts.read_bytes);
            self.counts.written_bytes = number(text, "write_bytes:").unwrap_or(self.counts.written_bytes);
        }
        self.open_files = files.open_files(&format!("proc/{pid}/fd"), FILES_MAX).or(self.open_files);
        let Some(text) = files.read(&format!("proc/{pid}/status")) else { return };
        self.swapped_bytes = number(text, "VmSwap:").map(|kib| kib.saturating_mul(1024));
        // The switches that a process tells are its first thread's.
        let first = switches(text);
        if self.threads <= THREADS_AT_ONCE || is_time {
            self.add_switches(pid, first, files);
        }
    }

    /// A thread that ends takes its counts along: what each has done since the last time is added up.
    fn add_switches(&mut self, pid: u32, first: (u64, u64), files: &mut Files) {
        let has_others = self.threads > 1 || self.switches.len() > 1;
        let tasks = || files.numbers(&format!("proc/{pid}/task"), THREADS_MAX);
        let Some(threads) = (if has_others { tasks() } else { Some(Vec::new()) }) else { return };
        let mut now = HashMap::with_capacity(threads.len().max(1));
        now.insert(pid, first);
        for thread in threads.into_iter().filter(|thread| *thread != pid) {
            let told = files.read(&format!("proc/{pid}/task/{thread}/status")).map(switches);
            // One that cannot be read for a moment, as for want of descriptors, is not to be counted anew after it.
            now.extend(told.or_else(|| self.switches.get(&thread).copied()).map(|told| (thread, told)));
        }
        for (thread, told) in &now {
            // A number that was given anew counts from zero.
            let before = self.switches.get(thread).filter(|before| before.0 <= told.0 && before.1 <= told.1);
            let before = before.copied().unwrap_or((0, 0));
            self.counts.voluntary_switches += told.0 - before.0;
            self.counts.involuntary_switches += told.1 - before.1;
        }
        self.switches = now;
    }
}

/// Voluntary and involuntary context switches of a thread, by its `status`.
fn switches(status: &str) -> (u64, u64) {
    let count = |key: &str| number(status, key).unwrap_or(0);
    (count("voluntary_ctxt_switches:"), count("nonvoluntary_ctxt_switches:"))
}

/// The number behind a word that begins a line.
fn number(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        let stat = Stat::read("7 (a) (b c) S 1 7 7 0 -1 0 5 0 6 0 8 9 0 0 20 0 3 0 77 4096 2 0\n").unwrap();
        assert_eq!((stat.name, stat.state(), stat.started(), stat.field(14)), ("a) (b c", 1, Some(77), Some(8)));
        assert!(Stat::read("7 nothing").is_none());
        assert_eq!(Stat::read("7 (a) R 1").unwrap().started(), None);
    }
}
