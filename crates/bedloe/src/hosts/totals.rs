//! What a host has counted up to a moment: the same from the kernel and from an agent's page.

use std::collections::BTreeMap;

use host::facts::{MODES, Snapshot};
use metrics::exposition::{Sample, samples};

/// Modes that time is shared out among: the two behind them are parts of others.
pub(super) const CPU_MODES: usize = 8;
/// Watched processes of a host; an agent watches 64 names at most.
const PROCESSES_MAX: usize = 64;
/// Bytes of a group's name; each point of a history holds it.
const GROUP_MAX: usize = 128;
/// What is more, or less than nothing, is none of a host's counts and levels.
const VALUE_MAX: f64 = 1e18;
/// The device that reaches this machine alone.
const LOOPBACK: &str = "lo";

/// Counts and levels; what the host does not tell is missing.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Totals {
    /// The host's clock, in seconds.
    pub(super) time_s: Option<f64>,
    pub(super) cores: u32,
    /// All cores together, by mode.
    pub(super) cpu_s: Option<[f64; CPU_MODES]>,
    pub(super) load1: Option<f64>,
    pub(super) context_switches: Option<f64>,
    pub(super) memory_total: Option<f64>,
    pub(super) memory_available: Option<f64>,
    pub(super) established: Option<f64>,
    pub(super) active_opens: Option<f64>,
    pub(super) passive_opens: Option<f64>,
    pub(super) in_segments: Option<f64>,
    pub(super) out_segments: Option<f64>,
    pub(super) retransmissions: Option<f64>,
    pub(super) resets: Option<f64>,
    pub(super) received_bytes: Option<f64>,
    pub(super) sent_bytes: Option<f64>,
    pub(super) loopback_bytes: Option<f64>,
    pub(super) liberty_up: Option<bool>,
    pub(super) processes: BTreeMap<String, Process>,
}

/// The processes of one name.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Process {
    pub(super) count: f64,
    pub(super) cpu_s: f64,
    pub(super) resident_bytes: f64,
}

impl Totals {
    /// This machine's.
    pub(super) fn of_snapshot(seen: &Snapshot, time_s: f64) -> Self {
        let protocol = |name: &str| seen.protocol(name).map(|value| value as f64);
        let mut totals = Self {
            time_s: Some(time_s),
            load1: seen.load.map(|[one, ..]| one),
            context_switches: seen.context_switches.map(|value| value as f64),
            memory_total: seen.memory_of("MemTotal").map(|value| value as f64),
            memory_available: seen.memory_of("MemAvailable").map(|value| value as f64),
            established: protocol("Tcp_CurrEstab"),
            active_opens: protocol("Tcp_ActiveOpens"),
            passive_opens: protocol("Tcp_PassiveOpens"),
            in_segments: protocol("Tcp_InSegs"),
            out_segments: protocol("Tcp_OutSegs"),
            retransmissions: protocol("Tcp_RetransSegs"),
            resets: protocol("Tcp_OutRsts"),
            ..Self::default()
        };
        for cpu in &seen.cpus {
            totals.cores += 1;
            for (mode, seconds) in cpu.seconds.iter().enumerate().take(CPU_MODES) {
                totals.add_cpu(mode, *seconds);
            }
        }
        for link in &seen.links {
            totals.add_bytes(&link.name, link.received[0] as f64, false);
            totals.add_bytes(&link.name, link.sent[0] as f64, true);
        }
        for group in &seen.groups {
            let process = Process {
                count: group.processes as f64,
                cpu_s: group.counts.user_s() + group.counts.system_s(),
                resident_bytes: group.resident_bytes as f64,
            };
            totals.processes.insert(group.name.clone(), process);
        }
        totals
    }

    /// An agent's. `None` where the page has nothing of a host; lines that are no samples are passed over.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let mut totals = Self::default();
        for sample in samples(text).flatten().filter(|sample| (0.0..VALUE_MAX).contains(&sample.value)) {
            totals.take(&sample);
        }
        (totals.cpu_s.is_some() || totals.load1.is_some()).then_some(totals)
    }

    fn take(&mut self, sample: &Sample<'_>) {
        let value = sample.value;
        let level = match sample.name {
            "node_time_seconds" => &mut self.time_s,
            "node_load1" => &mut self.load1,
            "node_context_switches_total" => &mut self.context_switches,
            "node_memory_MemTotal_bytes" => &mut self.memory_total,
            "node_memory_MemAvailable_bytes" => &mut self.memory_available,
            "node_netstat_Tcp_CurrEstab" => &mut self.established,
            "node_netstat_Tcp_ActiveOpens" => &mut self.active_opens,
            "node_netstat_Tcp_PassiveOpens" => &mut self.passive_opens,
            "node_netstat_Tcp_InSegs" => &mut self.in_segments,
            "node_netstat_Tcp_OutSegs" => &mut self.out_segments,
            "node_netstat_Tcp_RetransSegs" => &mut self.retransmissions,
            "node_netstat_Tcp_OutRsts" => &mut self.resets,
            _ => return self.take_labelled(sample),
        };
        *level = Some(value);
    }

    fn take_labelled(&mut self, sample: &Sample<'_>) {
        let value = sample.value;
        match sample.name {
            "node_cpu_seconds_total" => {
                let mode = MODES.iter().take(CPU_MODES).position(|mode| *mode == sample.label("mode"));
                if let Some(mode) = mode {
                    self.cores += u32::from(mode == 0);
                    self.add_cpu(mode, value);
                }
            }
            "node_network_receive_bytes_total" => self.add_bytes(sample.label("device"), value, false),
            "node_network_transmit_bytes_total" => self.add_bytes(sample.label("device"), value, true),
            "bedloe_liberty_up" => self.liberty_up = Some(value > 0.0),
            "namedprocess_namegroup_num_procs" => self.with_process(sample, |process| process.count = value),
            "namedprocess_namegroup_cpu_seconds_total" => self.with_process(sample, |process| process.cpu_s += value),
            "namedprocess_namegroup_memory_bytes" if sample.label("memtype") == "resident" => {
                self.with_process(sample, |process| process.resident_bytes = value);
            }
            _ => {}
        }
    }

    fn add_cpu(&mut self, mode: usize, seconds: f64) {
        self.cpu_s.get_or_insert_default()[mode] += seconds;
    }

    fn add_bytes(&mut self, device: &str, bytes: f64, is_sent: bool) {
        let to = match (device == LOOPBACK, is_sent) {
            (false, false) => &mut self.received_bytes,
            (false, true) => &mut self.sent_bytes,
            (true, false) => &mut self.loopback_bytes,
            // What is sent over it is received over it.
            (true, true) => return,
        };
        *to.get_or_insert_default() += bytes;
    }

    fn with_process(&mut self, sample: &Sample<'_>, change: impl FnOnce(&mut Process)) {
        let name = sample.label("groupname");
        if name.len() > GROUP_MAX {
            return;
        }
        if self.processes.len() < PROCESSES_MAX || self.processes.contains_key(name) {
            change(self.processes.entry(name.to_owned()).or_default());
        }
    }
}
