//! What a host does at a moment: levels, and how fast its counts grew since the look before.

use std::time::Instant;

use super::totals::{CPU_MODES, Totals};

/// A host's figures. What it does not tell is missing, and so is what grows at the first look, for a second is needed.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Figures {
    pub(crate) cores: u32,
    pub(crate) cpu: Option<CpuShares>,
    pub(crate) load1: Option<f64>,
    pub(crate) context_switches_per_s: Option<f64>,
    pub(crate) memory_bytes: Option<f64>,
    /// What cannot be had for a new process without swapping: all but `MemAvailable`.
    pub(crate) memory_used_share: Option<f64>,
    pub(crate) tcp_established: Option<f64>,
    /// Connections begun, from here and to here.
    pub(crate) tcp_opens_per_s: Option<f64>,
    pub(crate) tcp_in_segments_per_s: Option<f64>,
    pub(crate) tcp_out_segments_per_s: Option<f64>,
    pub(crate) tcp_retransmissions_per_s: Option<f64>,
    pub(crate) tcp_resets_per_s: Option<f64>,
    /// Of all network devices but loopback.
    pub(crate) received_bytes_per_s: Option<f64>,
    pub(crate) sent_bytes_per_s: Option<f64>,
    pub(crate) loopback_bytes_per_s: Option<f64>,
    /// Of the Liberty server that the agent asks.
    pub(crate) liberty_up: Option<bool>,
    pub(crate) processes: Vec<ProcessFigures>,
}

/// What all cores together spent their time with: parts of 1.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct CpuShares {
    pub(crate) user: f64,
    pub(crate) nice: f64,
    pub(crate) system: f64,
    pub(crate) idle: f64,
    pub(crate) iowait: f64,
    pub(crate) irq: f64,
    pub(crate) softirq: f64,
    /// What the machine below gave to others.
    pub(crate) steal: f64,
}

/// The watched processes of one name.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct ProcessFigures {
    pub(crate) name: String,
    pub(crate) count: f64,
    /// Cores in use: 1 is one of them for all of the time.
    pub(crate) cpu_cores: Option<f64>,
    pub(crate) resident_bytes: f64,
}

impl CpuShares {
    /// What is neither idle nor waits for a disk.
    pub(crate) fn busy(&self) -> f64 {
        (1.0 - self.idle - self.iowait).max(0.0)
    }

    /// How time was shared out; counts that fell are those of a host that started anew.
    fn between(before: &[f64; CPU_MODES], now: &[f64; CPU_MODES]) -> Option<Self> {
        let mut spent = [0.0; CPU_MODES];
        for (spent, (before, now)) in spent.iter_mut().zip(before.iter().zip(now)) {
            *spent = (now - before).max(0.0);
        }
        let all: f64 = spent.iter().sum();
        if all <= 0.0 || !all.is_finite() || now.iter().sum::<f64>() < before.iter().sum() {
            return None;
        }
        let [user, nice, system, idle, iowait, irq, softirq, steal] = spent.map(|spent| spent / all);
        Some(Self { user, nice, system, idle, iowait, irq, softirq, steal })
    }
}

impl Figures {
    /// The figures of `now`, which was seen at `at`, with what grew since the look before.
    pub(super) fn between(before: Option<&(Totals, Instant)>, now: &Totals, at: Instant) -> Self {
        let seconds = before.and_then(|(before, since)| elapsed(before, now, at.duration_since(*since).as_secs_f64()));
        let before = before.map(|(before, _)| before);
        let per_s = |of: fn(&Totals) -> Option<f64>| {
            let grown = of(now)? - of(before?)?;
            (grown >= 0.0).then_some(grown / seconds?)
        };
        let opens = |totals: &Totals| Some(totals.active_opens? + totals.passive_opens?);
        let used = |total: f64| (total > 0.0).then_some((1.0 - now.memory_available? / total).max(0.0));
        Self {
            cores: now.cores,
            cpu: before.and_then(|before| CpuShares::between(before.cpu_s.as_ref()?, now.cpu_s.as_ref()?)),
            load1: now.load1,
            context_switches_per_s: per_s(|totals| totals.context_switches),
            memory_bytes: now.memory_total,
            memory_used_share: now.memory_total.and_then(used),
            tcp_established: now.established,
            tcp_opens_per_s: per_s(opens),
            tcp_in_segments_per_s: per_s(|totals| totals.in_segments),
            tcp_out_segments_per_s: per_s(|totals| totals.out_segments),
            tcp_retransmissions_per_s: per_s(|totals| totals.retransmissions),
            tcp_resets_per_s: per_s(|totals| totals.resets),
            received_bytes_per_s: per_s(|totals| totals.received_bytes),
            sent_bytes_per_s: per_s(|totals| totals.sent_bytes),
            loopback_bytes_per_s: per_s(|totals| totals.loopback_bytes),
            liberty_up: now.liberty_up,
            processes: processes(before, now, seconds),
        }
    }
}

fn processes(before: Option<&Totals>, now: &Totals, seconds: Option<f64>) -> Vec<ProcessFigures> {
    let figures = now.processes.iter().map(|(name, process)| {
        let grown = before.and_then(|before| Some(process.cpu_s - before.processes.get(name)?.cpu_s));
        let cpu_cores = grown.filter(|grown| *grown >= 0.0).and_then(|grown| Some(grown / seconds?));
        let (count, resident_bytes) = (process.count, process.resident_bytes);
        ProcessFigures { name: name.clone(), count, cpu_cores, resident_bytes }
    });
    figures.collect()
}

/// Seconds between two looks, by the host's own clock: an answer's way does not count. By ours where that was set.
fn elapsed(before: &Totals, now: &Totals, by_ours: f64) -> Option<f64> {
    let by_its = now.time_s.zip(before.time_s).map(|(now, before)| now - before);
    let is_near = |seconds: &f64| (seconds - by_ours).abs() < by_ours / 2.0;
    Some(by_its.filter(is_near).unwrap_or(by_ours)).filter(|seconds| *seconds > 0.0)
}
