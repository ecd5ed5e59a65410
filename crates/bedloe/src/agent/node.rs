//! A host in Prometheus's text, under the names and labels that node_exporter gives to the same facts, so that its
//! dashboards and rules hold. What the kernel does not tell has no series.

use host::facts::{Disk, Link, MODES, Snapshot};
use metrics::exposition::{Exposition, Kind, Value};

/// Modes of a core that are a series of `node_cpu_seconds_total`; the two behind them are parts of others.
const CPU_MODES: usize = 8;
/// What a network device receives and sends, in the kernel's order.
const RECEIVED: [&str; 8] = ["bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast"];
const SENT: [&str; 8] = ["bytes", "packets", "errs", "drop", "fifo", "colls", "carrier", "compressed"];
const SECTOR_BYTES: u64 = 512;

/// What a disk's counts are, in the kernel's order: name, kind of number, help.
const DISK: [(&str, Of, &str); 17] = [
    ("node_disk_reads_completed_total", Of::Count, "Reads that were completed."),
    ("node_disk_reads_merged_total", Of::Count, "Reads that were merged with others."),
    ("node_disk_read_bytes_total", Of::Sectors, "Bytes read."),
    ("node_disk_read_time_seconds_total", Of::Time, "Time that all reads took."),
    ("node_disk_writes_completed_total", Of::Count, "Writes that were completed."),
    ("node_disk_writes_merged_total", Of::Count, "Writes that were merged with others."),
    ("node_disk_written_bytes_total", Of::Sectors, "Bytes written."),
    ("node_disk_write_time_seconds_total", Of::Time, "Time that all writes took."),
    ("node_disk_io_now", Of::Now, "Requests under way."),
    ("node_disk_io_time_seconds_total", Of::Time, "Time in which there were requests."),
    ("node_disk_io_time_weighted_seconds_total", Of::Time, "The same, times the requests there were."),
    ("node_disk_discards_completed_total", Of::Count, "Discards that were completed."),
    ("node_disk_discards_merged_total", Of::Count, "Discards that were merged with others."),
    ("node_disk_discarded_sectors_total", Of::Count, "Sectors discarded."),
    ("node_disk_discard_time_seconds_total", Of::Time, "Time that all discards took."),
    ("node_disk_flush_requests_total", Of::Count, "Flushes that were completed."),
    ("node_disk_flush_requests_time_seconds_total", Of::Time, "Time that all flushes took."),
];

/// What a disk's number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Count,
    Sectors,
    /// Milliseconds.
    Time,
    Now,
}

/// Writes all of it; `now_s` is the host's clock.
pub(super) fn write(out: &mut Exposition, seen: &Snapshot, now_s: f64) {
    cpu(out, seen);
    kernel(out, seen);
    memory(out, seen);
    protocols(out, seen);
    links(out, &seen.links);
    disks(out, &seen.disks);
    pressure(out, seen);
    names(out);
    out.family("node_time_seconds", Kind::Gauge, "The host's clock, since 1970.").sample(&[], now_s);
}

fn cpu(out: &mut Exposition, seen: &Snapshot) {
    if seen.cpus.is_empty() {
        return;
    }
    let mut family =
        out.family("node_cpu_seconds_total", Kind::Counter, "Time of each core by what it was spent with.");
    for cpu in &seen.cpus {
        for (mode, seconds) in MODES.iter().zip(cpu.seconds).take(CPU_MODES) {
            family.sample(&[("cpu", &cpu.name), ("mode", mode)], seconds);
        }
    }
    let help = "Time of each core that virtual machines had of it; part of user and nice.";
    let mut family = out.family("node_cpu_guest_seconds_total", Kind::Counter, help);
    for cpu in &seen.cpus {
        for (mode, seconds) in ["user", "nice"].iter().zip(&cpu.seconds[CPU_MODES..]) {
            family.sample(&[("cpu", &cpu.name), ("mode", mode)], *seconds);
        }
    }
}

fn kernel(out: &mut Exposition, seen: &Snapshot) {
    if let Some([one, five, fifteen]) = seen.load {
        one_of(out, "node_load1", Kind::Gauge, "Load, on average over a minute.", Some(one));
        one_of(out, "node_load5", Kind::Gauge, "Load, on average over 5 minutes.", Some(five));
        one_of(out, "node_load15", Kind::Gauge, "Load, on average over 15 minutes.", Some(fifteen));
    }
    let switches = seen.context_switches;
    one_of(out, "node_context_switches_total", Kind::Counter, "Context switches of all cores.", switches);
    one_of(out, "node_intr_total", Kind::Counter, "Interrupts served.", seen.interrupts);
    one_of(out, "node_forks_total", Kind::Counter, "Processes and threads begun.", seen.forks);
    one_of(out, "node_procs_running", Kind::Gauge, "Processes that could run.", seen.running);
    one_of(out, "node_procs_blocked", Kind::Gauge, "Processes that wait for a disk.", seen.blocked);
    one_of(out, "node_boot_time_seconds", Kind::Gauge, "When the host started, since 1970.", seen.boot_time_s);
    let (open, most) = seen.files.unzip();
    one_of(out, "node_filefd_allocated", Kind::Gauge, "Open files of all processes.", open);
    one_of(out, "node_filefd_maximum", Kind::Gauge, "Open files that there may be.", most);
}

fn one_of(out: &mut Exposition, name: &str, kind: Kind, help: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        out.family(name, kind, help).sample(&[], value);
    }
}

fn memory(out: &mut Exposition, seen: &Snapshot) {
    for memory in &seen.memory {
        let name = format!("node_memory_{}{}", memory.name, if memory.is_bytes { "_bytes" } else { "" });
        named(out, &name, Kind::Gauge, &format!("{} of /proc/meminfo.", memory.name), memory.value);
    }
}

fn protocols(out: &mut Exposition, seen: &Snapshot) {
    for (field, value) in &seen.protocols {
        let help = format!("{} of /proc/net.", field.replace('_', " "));
        named(out, &format!("node_netstat_{field}"), Kind::Untyped, &help, *value);
    }
    let page = rustix::param::page_size() as u64;
    for (field, value) in &seen.sockets {
        let help = format!("{} of /proc/net/sockstat.", field.replace('_', " "));
        let name = format!("node_sockstat_{field}");
        named(out, &name, Kind::Gauge, &help, *value);
        if field.ends_with("_mem") {
            named(out, &format!("{name}_bytes"), Kind::Gauge, &help, value.saturating_mul(page));
        }
    }
}

/// The kernel's names are names of metrics as they are; should one not be, it is left out.
fn named(out: &mut Exposition, name: &str, kind: Kind, help: &str, value: u64) {
    if metrics::exposition::is_metric_name(name) {
        out.family(name, kind, help).sample(&[], value);
    }
}

fn links(out: &mut Exposition, links: &[Link]) {
    if links.is_empty() {
        return;
    }
    let of = |link: &Link, is_sent: bool, at: usize| if is_sent { link.sent[at] } else { link.received[at] };
    for (direction, fields, is_sent) in [("receive", RECEIVED, false), ("transmit", SENT, true)] {
        for (at, field) in fields.iter().enumerate() {
            let name = format!("node_network_{direction}_{field}_total");
            let help = format!("{direction} {field} of /proc/net/dev.");
            let mut family = out.family(&name, Kind::Counter, &help);
            for link in links {
                family.sample(&[("device", &link.name)], of(link, is_sent, at));
            }
        }
    }
}

fn disks(out: &mut Exposition, disks: &[Disk]) {
    for (at, (name, of, help)) in DISK.iter().enumerate() {
        let mut told = disks.iter().filter_map(|disk| Some((&disk.name, *disk.counts.get(at)?))).peekable();
        if told.peek().is_none() {
            continue;
        }
        let kind = if *of == Of::Now { Kind::Gauge } else { Kind::Counter };
        let mut family = out.family(name, kind, help);
        for (device, count) in told {
            let value = match of {
                Of::Count | Of::Now => Value::Whole(count),
                Of::Sectors => Value::Whole(count.saturating_mul(SECTOR_BYTES)),
                Of::Time => Value::Real(count as f64 / 1000.0),
            };
            family.sample(&[("device", device)], value);
        }
    }
}

fn pressure(out: &mut Exposition, seen: &Snapshot) {
    for of in &seen.pressure {
        let what = of.what;
        let name = format!("node_pressure_{what}_waiting_seconds_total");
        let help = format!("Time in which some task waited for want of {what}.");
        one_of(out, &name, Kind::Counter, &help, of.waiting_s);
        // For the host as a whole the kernel does not count it: some task always has the core.
        if what != "cpu" {
            let name = format!("node_pressure_{what}_stalled_seconds_total");
            let help = format!("Time in which all tasks waited for want of {what}.");
            one_of(out, &name, Kind::Counter, &help, of.stalled_s);
        }
    }
}

fn names(out: &mut Exposition) {
    let uname = rustix::system::uname();
    let (sysname, release, version) = (uname.sysname(), uname.release(), uname.version());
    let all = [
        ("domainname", uname.domainname()),
        ("machine", uname.machine()),
        ("nodename", uname.nodename()),
        ("release", release),
        ("sysname", sysname),
        ("version", version),
    ];
    let all = all.map(|(label, value)| (label, value.to_string_lossy()));
    let labels: Vec<(&str, &str)> = all.iter().map(|(label, value)| (*label, value.as_ref())).collect();
    out.family("node_uname_info", Kind::Gauge, "Names of the host and its kernel; always 1.").sample(&labels, 1_u64);
}
