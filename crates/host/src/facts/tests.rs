//! A host as a folder tree, at two moments.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Host, Link, Memory, Snapshot};

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            tree.write(path, text);
        }
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A process of one thread with so much CPU time and so many switches.
    fn process(&self, pid: u32, name: &str, started: u64, ticks: u64, switches: u64) {
        let stat = format!(
            "{pid} ({name}) S 1 {pid} {pid} 0 -1 0 10 0 2 0 {ticks} {ticks} 0 0 20 0 1 0 {started} 8192 3 99\n"
        );
        let status = format!(
            "Name:\t{name}\nVmSwap:\t      4 kB\nvoluntary_ctxt_switches:\t{switches}\nnonvoluntary_ctxt_switches:\t1\n"
        );
        self.write(&format!("proc/{pid}/stat"), &stat);
        self.write(&format!("proc/{pid}/comm"), &format!("{name}\n"));
        self.write(&format!("proc/{pid}/status"), &status);
        self.write(&format!("proc/{pid}/task/{pid}/status"), &status);
        self.write(
            &format!("proc/{pid}/limits"),
            "Limit  Soft Limit\nMax open files            8          16      files\n",
        );
        self.write(&format!("proc/{pid}/io"), "rchar: 1\nread_bytes: 4096\nwrite_bytes: 512\n");
        self.write(&format!("proc/{pid}/fd/0"), "");
        self.write(&format!("proc/{pid}/fd/1"), "");
    }

    fn end(&self, pid: u32) {
        fs::remove_dir_all(self.0.path().join(format!("proc/{pid}"))).unwrap();
    }

    fn host(&self, processes: &[&str]) -> Host {
        let names: Vec<String> = processes.iter().map(ToString::to_string).collect();
        Host::open(self.0.path(), &names).unwrap()
    }
}

const STAT: &str = "cpu  300 2 100 900 5 6 7 8 9 10\ncpu0 100 1 50 450 5 6 7 8 9 10\ncpu1 200 1 50 450\n\
                    intr 588099 0 3\nctxt 123456\nbtime 1700000000\nprocesses 777\nprocs_running 3\nprocs_blocked 1\n";

#[test]
fn a_host_is_read() {
    let tree = Tree::new(&[
        ("proc/stat", STAT),
        ("proc/loadavg", "3.50 2.29 0.95 3/211 4242\n"),
        ("proc/meminfo", "MemTotal:  1000 kB\nActive(anon):  7 kB\nHugePages_Free:  2\nodd\n"),
        ("proc/sys/fs/file-nr", "493\t0\t2466177\n"),
        ("proc/pressure/cpu", "some avg10=1 avg60=1 avg300=1 total=1500000\n"),
        ("proc/pressure/io", "some avg10=0 total=20\nfull avg10=0 total=10\n"),
        ("proc/net/snmp", "Ip: Forwarding DefaultTTL\nIp: 2 64\nTcp: MaxConn InSegs OutRsts\nTcp: -1 15 6\n"),
        ("proc/net/netstat", "TcpExt: SyncookiesSent TW ListenDrops\nTcpExt: 1 2 3\nIpExt: InOctets\nIpExt: 434\n"),
        ("proc/net/sockstat", "sockets: used 14\nTCP: inuse 5 orphan 0 tw 2 alloc 9 mem 1\n"),
        ("proc/net/dev", "Inter-| Receive\n face |bytes\n eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n bad: 1\n"),
        (
            "proc/diskstats",
            " 254 0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n 254 1 vda1 1 2 3 4 5 6 7 8 9 10 11\n",
        ),
    ]);
    let seen = tree.host(&[]).look();
    let user: Vec<_> = seen.cpus.iter().map(|cpu| (cpu.name.as_str(), cpu.seconds[0], cpu.seconds[9])).collect();
    assert_eq!(user, [("0", 1.0, 0.1), ("1", 2.0, 0.0)]);
    assert_eq!((seen.interrupts, seen.context_switches, seen.forks), (Some(588_099), Some(123_456), Some(777)));
    assert_eq!((seen.running, seen.blocked, seen.boot_time_s), (Some(3), Some(1), Some(1_700_000_000)));
    assert_eq!((seen.load, seen.files), (Some([3.5, 2.29, 0.95]), Some((493, 2_466_177))));
    let memory = |name: &str, value, is_bytes| Memory { name: name.to_owned(), value, is_bytes };
    let expected =
        [memory("MemTotal", 1_024_000, true), memory("Active_anon", 7168, true), memory("HugePages_Free", 2, false)];
    assert_eq!(seen.memory, expected);
    let pressure: Vec<_> = seen.pressure.iter().map(|of| (of.what, of.waiting_s, of.stalled_s)).collect();
    assert_eq!(pressure, [("cpu", Some(1.5), None), ("io", Some(0.000_02), Some(0.000_01))]);
    let names = |of: &[(String, u64)]| of.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>();
    let counts = [
        "Ip_Forwarding 2",
        "Tcp_InSegs 15",
        "Tcp_OutRsts 6",
        "TcpExt_SyncookiesSent 1",
        "TcpExt_ListenDrops 3",
        "IpExt_InOctets 434",
    ];
    assert_eq!(names(&seen.protocols), counts);
    assert_eq!(names(&seen.sockets)[..3], ["sockets_used 14", "TCP_inuse 5", "TCP_orphan 0"]);
    let eth0 =
        Link { name: "eth0".to_owned(), received: [1, 2, 3, 4, 5, 6, 7, 8], sent: [9, 10, 11, 12, 13, 14, 15, 16] };
    assert_eq!(seen.links, [eth0]);
    assert_eq!(
        seen.disks.iter().map(|disk| (disk.name.as_str(), disk.counts.len())).collect::<Vec<_>>(),
        [("vda", 17)]
    );
}

#[test]
fn what_a_host_does_not_tell_is_left_out() {
    assert_eq!(Tree::new(&[]).host(&[]).look(), Snapshot::default());
    let odd = Tree::new(&[
        ("proc/stat", "cpu\ncpu0 x\nintr\nctxt -1\nbtime 99999999999999999999\n\u{1}"),
        ("proc/loadavg", "1 2"),
        ("proc/meminfo", ":\nMemTotal\nMemFree: kB\n"),
        ("proc/sys/fs/file-nr", "1"),
        ("proc/pressure/cpu", "some total=\nfull"),
        ("proc/net/snmp", "Tcp: InSegs\nUdp: 5\nTcp"),
        ("proc/net/netstat", "TcpExt: TCPTimeouts\n"),
        ("proc/net/sockstat", "TCP: inuse\nnothing\n"),
        ("proc/net/dev", ": \n:::\n"),
        ("proc/diskstats", "1\n254 0 vda 1 2 3\n"),
    ]);
    assert_eq!(odd.host(&[]).look(), Snapshot::default());
}

/// The kernel takes any bytes for a device's name: the others are told all the same.
#[test]
fn a_name_that_is_no_text_hides_nothing_else() {
    let tree = Tree::new(&[("proc/net/dev", "")]);
    let numbers = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
    let text = [b" \xff: ", numbers.as_bytes(), b" eth0: ", numbers.as_bytes()].concat();
    fs::write(tree.0.path().join("proc/net/dev"), text).unwrap();
    let seen = tree.host(&[]).look();
    assert_eq!(seen.links.iter().map(|link| link.name.as_str()).collect::<Vec<_>>(), ["\u{fffd}", "eth0"]);
}

#[test]
fn counts_of_a_group_outlive_its_processes() {
    let tree = Tree::new(&[("proc/stat", STAT)]);
    tree.process(10, "java", 500, 100, 30);
    tree.process(11, "java", 600, 50, 20);
    tree.process(12, "other", 700, 9999, 9999);
    let mut host = tree.host(&["java", "none"]);
    let began = Instant::now();
    let groups = host.look_at(began).groups;
    let java = &groups[0];
    assert_eq!((java.processes, java.counts.user_s(), java.counts.voluntary_switches), (2, 1.5, 50));
    assert_eq!((java.open_files, java.worst_files_ratio, java.threads), (Some(4), Some(0.25), 2));
    assert_eq!((java.swapped_bytes, java.virtual_bytes, java.states[1]), (Some(8192), 16384, 2));
    assert_eq!((java.oldest_start_s, java.counts.read_bytes, java.has_io), (Some(1_700_000_005.0), 8192, true));
    assert_eq!((groups[1].name.as_str(), groups[1].processes), ("none", 0));

    // One ends, the other goes on, a new one comes.
    tree.end(10);
    tree.process(11, "java", 600, 70, 25);
    tree.process(13, "java", 800, 5, 1);
    tree.write("proc/stat", &STAT.replace("processes 777", "processes 778"));
    let java = &host.look_at(began).groups[0];
    assert_eq!((java.processes, java.counts.user_s(), java.counts.voluntary_switches), (2, 1.75, 56));
    // An id that was given anew is another process, and one that became another program is none.
    tree.process(11, "java", 900, 1, 0);
    tree.process(13, "sh", 800, 6, 1);
    let java = &host.look_at(began).groups[0];
    assert_eq!((java.processes, java.counts.user_s(), java.counts.voluntary_switches), (1, 1.76, 56));
    tree.end(11);
    let java = &host.look_at(began).groups[0];
    assert_eq!((java.processes, java.counts.user_s(), java.oldest_start_s), (0, 1.76, None));
}

#[test]
fn a_process_that_becomes_a_watched_program_is_found() {
    let tree = Tree::new(&[]);
    tree.process(10, "sh", 500, 1, 1);
    let mut host = tree.host(&["a-name-longer-than-fifteen"]);
    let began = Instant::now();
    assert_eq!(host.look_at(began).groups[0].processes, 0);
    tree.process(10, "a-name-longer-t", 500, 1, 1);
    tree.process(11, "a-name-longer-t", 501, 1, 1);
    assert_eq!(host.look_at(began).groups[0].processes, 1);
    assert_eq!(host.look_at(began + Duration::from_secs(1)).groups[0].processes, 2);
}

#[test]
fn a_thread_that_ends_takes_no_switches_along() {
    let tree = Tree::new(&[]);
    tree.process(10, "java", 500, 1, 30);
    let stat = "10 (java) S 1 10 10 0 -1 0 10 0 2 0 1 1 0 0 20 0 2 0 500 8192 3 99\n";
    tree.write("proc/10/stat", stat);
    let thread = |switches: u64| format!("voluntary_ctxt_switches:\t{switches}\nnonvoluntary_ctxt_switches:\t2\n");
    tree.write("proc/10/task/77/status", &thread(100));
    let mut host = tree.host(&["java"]);
    let switches = |host: &mut Host| {
        let counts = host.look().groups[0].counts;
        (counts.voluntary_switches, counts.involuntary_switches)
    };
    assert_eq!(switches(&mut host), (130, 3));
    fs::remove_dir_all(tree.0.path().join("proc/10/task/77")).unwrap();
    assert_eq!(switches(&mut host), (130, 3));
    tree.write("proc/10/task/77/status", &thread(5));
    assert_eq!(switches(&mut host), (135, 5));
}

/// As where this process, or the whole host, has no descriptor left for a moment.
#[test]
fn what_cannot_be_read_for_a_moment_is_not_counted_twice() {
    let tree = Tree::new(&[("proc/stat", STAT)]);
    tree.process(10, "java", 500, 100, 30);
    tree.write("proc/10/stat", "10 (java) S 1 10 10 0 -1 0 10 0 2 0 100 100 0 0 20 0 2 0 500 8192 3 99\n");
    let thread = "proc/10/task/77/status";
    tree.write(thread, "voluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t2\n");
    let mut host = tree.host(&["java"]);
    let mut now = Instant::now();
    let mut told = || {
        // Far enough on for one that could not be looked at to be looked at again.
        now += Duration::from_secs(100);
        let java = host.look_at(now).groups.remove(0);
        (java.processes, java.counts.user_s(), java.counts.voluntary_switches)
    };
    let away = |path: &str, look: &mut dyn FnMut()| {
        let path = tree.0.path().join(path);
        let aside = path.with_extension("aside");
        fs::rename(&path, &aside).unwrap();
        fs::write(&path, [0xff]).unwrap();
        look();
        fs::remove_file(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    };
    let all = (1, 1.0, 37);
    assert_eq!(told(), all);
    for path in ["proc", "proc/10/task", "proc/10/task/77"] {
        away(path, &mut || assert_eq!(told(), all, "{path}"));
        assert_eq!(told(), all, "{path}");
    }
}

#[test]
fn where_no_process_was_begun_ends_are_seen_all_the_same() {
    let tree = Tree::new(&[("proc/stat", STAT)]);
    tree.process(10, "java", 500, 100, 30);
    tree.process(11, "sh", 500, 1, 1);
    let mut host = tree.host(&["java"]);
    let began = Instant::now();
    assert_eq!(host.look_at(began).groups[0].processes, 1);
    // The count of processes begun says that there can be none: it is not looked for.
    tree.process(12, "java", 600, 50, 5);
    assert_eq!(host.look_at(began).groups[0].processes, 1);
    tree.end(10);
    tree.process(11, "java", 500, 1, 1);
    let java = &host.look_at(began + Duration::from_secs(2)).groups[0];
    assert_eq!((java.processes, java.counts.user_s()), (1, 1.01));
    tree.write("proc/stat", &STAT.replace("processes 777", "processes 778"));
    assert_eq!(host.look_at(began).groups[0].processes, 2);
}

#[test]
fn switches_of_many_threads_are_read_seldom() {
    let tree = Tree::new(&[]);
    tree.process(10, "java", 500, 1, 30);
    tree.write("proc/10/stat", "10 (java) S 1 10 10 0 -1 0 10 0 2 0 1 1 0 0 20 0 50 0 500 8192 3 99\n");
    let status = |switches: u32| format!("voluntary_ctxt_switches:\t{switches}\nnonvoluntary_ctxt_switches:\t0\n");
    tree.write("proc/10/task/77/status", &status(5));
    let mut host = tree.host(&["java"]);
    let began = Instant::now();
    let mut voluntary =
        |after_s| host.look_at(began + Duration::from_secs(after_s)).groups[0].counts.voluntary_switches;
    assert_eq!(voluntary(0), 35);
    tree.write("proc/10/task/77/status", &status(9));
    assert_eq!((voluntary(4), voluntary(5)), (35, 39));
}

#[test]
fn this_host_tells_all_of_it() {
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    let mut host = Host::open(Path::new("/"), &[name.trim_end().to_owned()]).unwrap();
    let seen = host.look();
    assert!(!seen.cpus.is_empty() && seen.load.is_some() && seen.interrupts.is_some() && seen.files.is_some());
    assert!(seen.memory_of("MemTotal") > Some(0) && seen.protocol("Tcp_InSegs").is_some() && !seen.links.is_empty());
    let group = &seen.groups[0];
    assert!(group.processes >= 1 && group.resident_bytes > 0 && group.threads >= 1, "{group:?}");
    assert!(group.open_files > Some(2) && group.counts.minor_faults > 0, "{group:?}");
}
