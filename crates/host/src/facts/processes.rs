//! Watched processes, by the kernel's name for their program: a JVM is `java`. A group's counts never fall: what ended
//! processes had is kept.
//!
//! A look at all processes every time would cost more than all other facts together. The list of them is read where
//! there are new ones, and one that is known not to be watched is looked at again more and more seldom: it may become
//! another program, and does so early, if at all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::files::Files;
use super::kernel::seconds_of_ticks;
pub use super::member::{Counts, STATES};
use super::member::{Member, Stat};

/// Names that may be watched.
pub const NAMES_MAX: usize = 64;
/// Bytes of a program's name that the kernel keeps.
pub const NAME_BYTES: usize = 15;
/// Processes of a host that are looked at.
const PROCESSES_MAX: usize = 100_000;
/// Processes of one name that are watched.
const MEMBERS_MAX: usize = 1024;
/// How long one that is not watched is not looked at again; twice as long each time.
const STRANGER: Duration = Duration::from_secs(1);
/// The longest.
const STRANGER_MAX: Duration = Duration::from_secs(64);

/// Processes of one name.
#[derive(Debug)]
pub struct Group {
    name: String,
    members: HashMap<u32, Member>,
    /// Counts of those that have ended.
    ended: Counts,
}

/// What the processes of one name do together.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct GroupFacts {
    /// The name as it was asked for.
    pub name: String,
    /// Processes now.
    pub processes: u64,
    /// Counts of all there were since the first look.
    pub counts: Counts,
    /// Whether bytes from and to disks may be known of one at least.
    pub has_io: bool,
    /// Processes by state, in the order of [`STATES`].
    pub states: [u64; STATES.len()],
    /// Threads now.
    pub threads: u64,
    /// Memory in RAM; what processes share is counted more than once.
    pub resident_bytes: u64,
    /// Memory that they have asked for.
    pub virtual_bytes: u64,
    /// Memory on the swap device.
    pub swapped_bytes: Option<u64>,
    /// Open files, of those whose files may be known.
    pub open_files: Option<u64>,
    /// The worst share of its limit of open files that one has in use.
    pub worst_files_ratio: Option<f64>,
    /// When the oldest one started, in seconds since 1970.
    pub oldest_start_s: Option<f64>,
}

/// All groups of a host.
#[derive(Debug)]
pub(super) struct Watched {
    groups: Vec<Group>,
    /// The processes there were at the last listing, and how many had been begun by then.
    there: Vec<u32>,
    forks: Option<u64>,
    strangers: HashMap<u32, Stranger>,
}

/// One that belongs to no group.
#[derive(Debug)]
struct Stranger {
    since: Instant,
    /// How long it is left alone from then on.
    rest: Duration,
}

impl Watched {
    pub(super) fn new(names: &[String]) -> Self {
        let group = |name: &String| Group { name: name.clone(), members: HashMap::new(), ended: Counts::default() };
        let groups = names.iter().take(NAMES_MAX).map(group).collect();
        Self { groups, there: Vec::new(), forks: None, strangers: HashMap::new() }
    }

    /// `forks` are the processes begun since the host started: where there is none more, the list is the same.
    pub(super) fn look(
        &mut self,
        files: &mut Files,
        boot_time_s: Option<u64>,
        forks: Option<u64>,
        now: Instant,
    ) -> Vec<GroupFacts> {
        if self.groups.is_empty() {
            return Vec::new();
        }
        if (forks.is_none() || forks != self.forks) && self.list(files).is_some() {
            self.forks = forks;
        }
        let there = std::mem::take(&mut self.there);
        for &pid in &there {
            if self.strangers.get(&pid).is_none_or(|known| now.duration_since(known.since) >= known.rest) {
                self.look_at(pid, files, now);
            }
        }
        self.there = there;
        self.groups.iter().map(|group| group.facts(boot_time_s)).collect()
    }

    /// `None` where the list cannot be read, as for want of descriptors: nobody has ended for that.
    fn list(&mut self, files: &Files) -> Option<()> {
        let mut there = files.numbers("proc", PROCESSES_MAX)?;
        there.sort_unstable();
        self.strangers.retain(|pid, _| there.binary_search(pid).is_ok());
        for group in &mut self.groups {
            group.end(|pid, _| there.binary_search(pid).is_err());
        }
        self.there = there;
        Some(())
    }

    fn look_at(&mut self, pid: u32, files: &mut Files, now: Instant) {
        let home = self.groups.iter().position(|group| group.members.contains_key(&pid));
        let text = match home {
            Some(_) => files.read(&format!("proc/{pid}/stat")).map(str::to_owned),
            None => self.stat_of_watched(pid, files),
        };
        let stat = text.as_deref().and_then(Stat::read);
        if let Some(home) = home {
            let group = &mut self.groups[home];
            // The id may be another process's by now, or the process another program.
            let is_other = |member: &Member| match &stat {
                Some(stat) => !is_name_of(&group.name, stat.name) || Some(member.started) != stat.started(),
                None => files.is_gone(&format!("proc/{pid}")),
            };
            if group.members.get(&pid).is_some_and(is_other) {
                group.end(|known, _| *known == pid);
            }
        }
        let watching = |stat: &Stat<'_>| self.groups.iter().position(|group| is_name_of(&group.name, stat.name));
        match stat.as_ref().and_then(|stat| Some((stat, watching(stat)?))) {
            Some((stat, group)) => {
                self.strangers.remove(&pid);
                self.groups[group].update(pid, stat, files, now);
            }
            None => self.leave(pid, now),
        }
    }

    /// It is left alone for a while.
    fn leave(&mut self, pid: u32, now: Instant) {
        let known = self.strangers.entry(pid).or_insert(Stranger { since: now, rest: STRANGER / 2 });
        known.rest = (known.rest * 2).min(STRANGER_MAX);
        known.since = now;
    }

    /// Most processes are none of ours, and their name alone is a shorter file.
    fn stat_of_watched(&self, pid: u32, files: &mut Files) -> Option<String> {
        let name = files.read(&format!("proc/{pid}/comm"))?.trim_end_matches('\n');
        self.groups.iter().find(|group| is_name_of(&group.name, name))?;
        files.read(&format!("proc/{pid}/stat")).map(str::to_owned)
    }
}

/// Whether the kernel would call a program of this name so.
fn is_name_of(name: &str, kernel: &str) -> bool {
    let bytes = name.as_bytes();
    &bytes[..bytes.len().min(NAME_BYTES)] == kernel.as_bytes()
}

impl Group {
    /// Parts with members, and keeps their counts.
    fn end(&mut self, is_gone: impl Fn(&u32, &Member) -> bool) {
        let ended = &mut self.ended;
        self.members.retain(|pid, member| {
            let is_gone = is_gone(pid, member);
            if is_gone {
                ended.add(&member.counts);
            }
            !is_gone
        });
    }

    fn update(&mut self, pid: u32, stat: &Stat<'_>, files: &mut Files, now: Instant) {
        if self.members.len() >= MEMBERS_MAX && !self.members.contains_key(&pid) {
            return;
        }
        if self.members.entry(pid).or_default().update(pid, stat, files, now).is_none() {
            self.end(|known, _| *known == pid);
        }
    }

    fn facts(&self, boot_time_s: Option<u64>) -> GroupFacts {
        let mut facts = GroupFacts { name: self.name.clone(), counts: self.ended, ..GroupFacts::default() };
        let sum = |sum: Option<u64>, of: Option<u64>| of.map_or(sum, |of| Some(sum.unwrap_or(0) + of));
        for member in self.members.values() {
            facts.processes += 1;
            facts.counts.add(&member.counts);
            facts.has_io |= member.has_io;
            facts.states[member.state] += 1;
            facts.threads += member.threads;
            facts.resident_bytes += member.resident_bytes;
            facts.virtual_bytes += member.virtual_bytes;
            facts.swapped_bytes = sum(facts.swapped_bytes, member.swapped_bytes);
            facts.open_files = sum(facts.open_files, member.open_files);
            if let (Some(open), Some(limit @ 1..)) = (member.open_files, member.files_limit) {
                facts.worst_files_ratio =
                    facts.worst_files_ratio.into_iter().chain([open as f64 / limit as f64]).reduce(f64::max);
            }
            let started = boot_time_s.map(|boot| boot as f64 + seconds_of_ticks(member.started));
            facts.oldest_start_s = facts.oldest_start_s.into_iter().chain(started).reduce(f64::min);
        }
        // Bytes that ended processes have moved stay told.
        facts.has_io |= self.ended.read_bytes + self.ended.written_bytes > 0;
        facts
    }
}
