//! Watched processes in Prometheus's text, under the names and labels that process-exporter gives to the same facts.

use host::facts::{GroupFacts, STATES};
use metrics::exposition::{Exposition, Kind, Value};

/// What a group is asked for one series; `None` is no series.
type Asked = fn(&GroupFacts) -> Option<Value>;

/// The families with one series a group.
const PLAIN: [(&str, Kind, &str, Asked); 9] = [
    ("num_procs", Kind::Gauge, "Processes.", |group| Some(group.processes.into())),
    ("num_threads", Kind::Gauge, "Threads.", |group| Some(group.threads.into())),
    ("open_filedesc", Kind::Gauge, "Open files.", |group| group.open_files.map(Value::from)),
    (
        "worst_fd_ratio",
        Kind::Gauge,
        "The highest share of its limit of open files that a process has in use.",
        |group| group.worst_files_ratio.map(Value::from),
    ),
    ("oldest_start_time_seconds", Kind::Gauge, "When the oldest process started, since 1970.", |group| {
        group.oldest_start_s.map(Value::from)
    }),
    ("minor_page_faults_total", Kind::Counter, "Pages that were found in memory.", |group| {
        Some(group.counts.minor_faults.into())
    }),
    ("major_page_faults_total", Kind::Counter, "Pages that were read from a disk.", |group| {
        Some(group.counts.major_faults.into())
    }),
    ("read_bytes_total", Kind::Counter, "Bytes read from disks.", |group| {
        group.has_io.then(|| group.counts.read_bytes.into())
    }),
    ("write_bytes_total", Kind::Counter, "Bytes written to disks.", |group| {
        group.has_io.then(|| group.counts.written_bytes.into())
    }),
];

/// Writes all groups.
pub(super) fn write(out: &mut Exposition, groups: &[GroupFacts]) {
    if groups.is_empty() {
        return;
    }
    for (name, kind, help, asked) in PLAIN {
        let mut told = groups.iter().filter_map(|group| Some((&group.name, asked(group)?))).peekable();
        if told.peek().is_none() {
            continue;
        }
        let name = format!("namedprocess_namegroup_{name}");
        let mut family = out.family(&name, kind, help);
        for (group, value) in told {
            family.sample(&[("groupname", group)], value);
        }
    }
    by(out, groups, "cpu_seconds_total", Kind::Counter, "CPU time by mode.", "mode", |group| {
        vec![("system", group.counts.system_s().into()), ("user", group.counts.user_s().into())]
    });
    by(out, groups, "memory_bytes", Kind::Gauge, "Memory by kind.", "memtype", |group| {
        let swapped = group.swapped_bytes.map(|bytes| ("swapped", bytes.into()));
        let others = [("resident", group.resident_bytes.into()), ("virtual", group.virtual_bytes.into())];
        others.into_iter().chain(swapped).collect()
    });
    by(out, groups, "states", Kind::Gauge, "Processes by state.", "state", |group| {
        STATES.into_iter().zip(group.states.map(Value::from)).collect()
    });
    let help = "Context switches of threads: voluntary where one had to wait, nonvoluntary where its core was taken.";
    by(out, groups, "context_switches_total", Kind::Counter, help, "ctxswitchtype", |group| {
        let counts = group.counts;
        vec![("nonvoluntary", counts.involuntary_switches.into()), ("voluntary", counts.voluntary_switches.into())]
    });
}

/// A family with several series a group, which differ in one label.
fn by(
    out: &mut Exposition,
    groups: &[GroupFacts],
    name: &str,
    kind: Kind,
    help: &str,
    label: &str,
    asked: impl Fn(&GroupFacts) -> Vec<(&'static str, Value)>,
) {
    let name = format!("namedprocess_namegroup_{name}");
    let mut family = out.family(&name, kind, help);
    for group in groups {
        for (of, value) in asked(group) {
            family.sample(&[("groupname", &group.name), (label, of)], value);
        }
    }
}
