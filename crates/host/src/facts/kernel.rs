//! What the kernel says of itself: times of the cores, load, switches, open files, pressure.

use super::Snapshot;
use super::files::Files;

/// What a core spends its time with, in the kernel's order. `guest` is part of `user`, `guest_nice` of `nice`.
pub const MODES: [&str; 10] =
    ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice"];

const IDLE: usize = 3;
/// A core that was taken out and put in again counts from zero: its idle time falls by more than this.
const ANEW_S: f64 = 3.0;
/// What can be short, with the file that tells how long was waited for it.
const SHORT: [(&str, &str); 4] = [
    ("cpu", "proc/pressure/cpu"),
    ("io", "proc/pressure/io"),
    ("memory", "proc/pressure/memory"),
    ("irq", "proc/pressure/irq"),
];

/// One core's times since the start.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Cpu {
    /// Its number, as text.
    pub name: String,
    /// Seconds by mode, in the order of [`MODES`].
    pub seconds: [f64; MODES.len()],
}

/// Time lost since the start for want of something (PSI).
#[derive(Debug, Clone, PartialEq)]
pub struct Pressure {
    /// `cpu`, `io`, `memory` or `irq`.
    pub what: &'static str,
    /// Seconds in which some task waited.
    pub waiting_s: Option<f64>,
    /// Seconds in which all tasks waited.
    pub stalled_s: Option<f64>,
}

pub(super) fn read(files: &mut Files, seen: &mut Snapshot) {
    if let Some(text) = files.read_again("proc/stat") {
        stat(text, seen);
    }
    seen.load = files.read_again("proc/loadavg").and_then(load);
    seen.files = files.read_again("proc/sys/fs/file-nr").and_then(open_files);
    for (what, path) in SHORT {
        if let Some(pressure) = files.read_again(path).and_then(|text| pressure(what, text)) {
            seen.pressure.push(pressure);
        }
    }
}

fn stat(text: &str, seen: &mut Snapshot) {
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(key) = words.next() else { continue };
        let number = |mut words: std::str::SplitAsciiWhitespace<'_>| words.next()?.parse().ok();
        match key {
            "intr" => seen.interrupts = number(words),
            "ctxt" => seen.context_switches = number(words),
            "btime" => seen.boot_time_s = number(words),
            "processes" => seen.forks = number(words),
            "procs_running" => seen.running = number(words),
            "procs_blocked" => seen.blocked = number(words),
            // The line `cpu` is the sum of the others.
            _ => match key.strip_prefix("cpu") {
                Some(name) if !name.is_empty() => seen.cpus.extend(cpu(name, words)),
                _ => {}
            },
        }
    }
}

/// Older kernels have fewer modes.
fn cpu<'text>(name: &str, ticks: impl Iterator<Item = &'text str>) -> Option<Cpu> {
    let mut cpu = Cpu { name: name.to_owned(), ..Cpu::default() };
    for (second, ticks) in cpu.seconds.iter_mut().zip(ticks) {
        *second = seconds_of_ticks(ticks.parse().ok()?);
    }
    Some(cpu)
}

/// Ticks of the kernel's, a hundredth of a second mostly.
pub(super) fn seconds_of_ticks(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second().max(1) as f64
}

/// Lets no time fall that only grows: the kernel sometimes takes back some of `iowait` and `idle`.
pub(super) fn keep(cpus: &mut [Cpu], before: &mut Vec<Cpu>) {
    for cpu in cpus.iter_mut() {
        let Some(before) = before.iter().find(|before| before.name == cpu.name) else { continue };
        if before.seconds[IDLE] - cpu.seconds[IDLE] > ANEW_S {
            continue;
        }
        for (now, before) in cpu.seconds.iter_mut().zip(before.seconds) {
            *now = now.max(before);
        }
    }
    before.clear();
    before.extend_from_slice(cpus);
}

fn load(text: &str) -> Option<[f64; 3]> {
    let mut numbers = text.split_ascii_whitespace().map(|word| word.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

/// In use, which the kernel has had in the first place since 2.6, and the most.
fn open_files(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split_ascii_whitespace().map(|word| word.parse().ok());
    let (open, _free, most) = (numbers.next()??, numbers.next()?, numbers.next()??);
    Some((open, most))
}

fn pressure(what: &'static str, text: &str) -> Option<Pressure> {
    let total = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let us: u64 = line.split_ascii_whitespace().find_map(|word| word.strip_prefix("total="))?.parse().ok()?;
        Some(us as f64 / 1e6)
    };
    let pressure = Pressure { what, waiting_s: total("some "), stalled_s: total("full ") };
    (pressure.waiting_s.is_some() || pressure.stalled_s.is_some()).then_some(pressure)
}

#[cfg(test)]
mod tests {
    use super::{Cpu, keep};

    #[test]
    fn times_of_a_core_do_not_fall_but_when_it_is_new() {
        let cpu = |user: f64, idle: f64, iowait: f64| {
            let mut cpu = Cpu { name: "0".to_owned(), ..Cpu::default() };
            (cpu.seconds[0], cpu.seconds[3], cpu.seconds[4]) = (user, idle, iowait);
            cpu
        };
        let mut before = Vec::new();
        let looks = [
            (cpu(1.0, 50.0, 2.0), cpu(1.0, 50.0, 2.0)),
            (cpu(2.0, 49.9, 1.5), cpu(2.0, 50.0, 2.0)),
            (cpu(3.0, 51.0, 2.5), cpu(3.0, 51.0, 2.5)),
            (cpu(0.1, 0.2, 0.0), cpu(0.1, 0.2, 0.0)),
        ];
        for (told, kept) in looks {
            let mut cpus = vec![told.clone()];
            keep(&mut cpus, &mut before);
            assert_eq!(cpus, [kept], "{told:?}");
        }
    }
}
