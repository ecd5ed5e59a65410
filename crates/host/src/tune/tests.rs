//! The whole of it on folder trees: what is found, written, put back; refused values, hostile links, broken records.

mod kept;
mod network;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::kernel::Machine;
use super::limits::Limits;
use super::plan::{Plan, ProcessChange, ValueChange};
use super::*;

const SOMAXCONN: &str = "proc/sys/net/core/somaxconn";
const SYSCTL: &str = "etc/sysctl.d/99-zz-bedloe.conf";

fn ask(role: Role) -> Ask {
    Ask { role, rate: 8000, connections: 20_000, services: Vec::new(), users: Vec::new(), ports: Vec::new() }
}

/// A tree as of an image with systemd, nginx and PAM.
fn tree() -> (TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("etc/passwd", "root:x:0:0::/:/bin/sh\nnginx:x:101:101::/:/bin/false\n"),
        ("etc/security/limits.conf", "# nothing\n"),
        ("etc/sysctl.d/99-sysctl.conf", "vm.dirty_ratio = 5\n"),
        ("usr/lib/systemd/system/nginx.service", "[Unit]\nLimitNOFILE=7\n[Service]\nExecStart=/usr/sbin/nginx\n"),
    ] {
        put(folder.path(), path, text);
    }
    let root = Root::open(folder.path()).unwrap();
    (folder, root)
}

fn put(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Everything below a folder: path to mode, owner and content.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (u32, u32, u32, String)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stat = fs::symlink_metadata(&path).unwrap();
            let content = match stat.file_type() {
                kind if kind.is_dir() => String::new(),
                kind if kind.is_symlink() => fs::read_link(&path).unwrap().display().to_string(),
                _ => fs::read_to_string(&path).unwrap(),
            };
            if stat.is_dir() {
                folders.push(path.clone());
            }
            all.insert(path, (stat.mode(), stat.uid(), stat.gid(), content));
        }
    }
    all
}

/// A kernel of the test's: values, and what it says to some.
#[derive(Default)]
struct Fake {
    values: BTreeMap<String, String>,
    refused: Option<(&'static str, i32)>,
    cut: Option<(&'static str, &'static str)>,
    limits: BTreeMap<u32, Limits>,
    written: Vec<String>,
}

impl Machine for Fake {
    fn read(&self, path: &str) -> io::Result<String> {
        self.values.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&mut self, path: &str, value: &str) -> io::Result<()> {
        if let Some((_, error)) = self.refused.filter(|(refused, _)| *refused == path) {
            return Err(io::Error::from_raw_os_error(error));
        }
        let value = self.cut.filter(|(cut, _)| *cut == path && value == "65535").map_or(value, |(_, to)| to);
        self.written.push(format!("{path}={value}"));
        self.values.insert(path.to_owned(), value.to_owned());
        Ok(())
    }

    fn limits(&self, pid: u32, _start: u64) -> Option<Limits> {
        self.limits.get(&pid).copied()
    }

    fn set_limits(&mut self, pid: u32, limits: Limits) -> io::Result<()> {
        if limits.soft > 1 << 20 {
            return Err(io::Error::from_raw_os_error(1));
        }
        self.limits.insert(pid, limits);
        Ok(())
    }

    fn reload_systemd(&mut self) -> io::Result<()> {
        self.written.push("reload".to_owned());
        Ok(())
    }
}

fn state(look: &Look, setting: &str) -> State {
    look.rows.iter().find(|row| row.setting == setting).unwrap_or_else(|| panic!("{setting} in {:#?}", look.rows)).state
}

fn apply_now(root: &Root, role: Role) -> Result<Plan, Error> {
    let look = look(root, &ask(role))?;
    apply(root, &look.plan, &ask(role), &mut Fake::default())?;
    Ok(look.plan)
}

fn undone(runs: usize, left: usize) -> Undone {
    Undone { runs, left, untold: None }
}

#[test]
fn what_was_applied_is_there_once_and_is_undone_byte_for_byte() {
    let (folder, root) = tree();
    put(folder.path(), "etc/systemd/system/nginx.service.d/zz-bedloe.conf", "[Service]\nNice=1\nLimitNOFILE=9\n");
    let odd = folder.path().join("etc/systemd/system/nginx.service.d/zz-bedloe.conf");
    fs::set_permissions(&odd, fs::Permissions::from_mode(0o600)).unwrap();
    let before = snapshot(folder.path());
    for role in [Role::Balancer, Role::Liberty, Role::Injector] {
        assert!(!apply_now(&root, role).unwrap().is_empty());
        let after = snapshot(folder.path());
        let again = look(&root, &ask(role)).unwrap();
        assert!(again.plan.is_empty(), "{role}: {:#?}", again.plan);
        assert!(again.rows.iter().all(|row| row.ok), "{role}: {:#?}", again.rows);
        apply(&root, &again.plan, &ask(role), &mut Fake::default()).unwrap();
        assert_eq!(snapshot(folder.path()), after);
        assert_eq!(fs::metadata(&odd).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(undo(&root, &mut Fake::default(), false, false).unwrap(), undone(1, 0));
        assert_eq!(snapshot(folder.path()), before, "{role}");
    }
}

#[test]
fn the_seeds_settings_are_written() {
    let (folder, root) = tree();
    let plan = apply_now(&root, Role::Balancer).unwrap();
    assert_eq!(plan.later, ["sysctl --system", "systemctl daemon-reload"]);
    let read = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
    let sysctl = read(SYSCTL);
    for line in [
        "fs.file-max = 500000",
        "fs.nr_open = 1048576",
        "net.core.somaxconn = 65535",
        "net.core.netdev_max_backlog = 16384",
        "net.ipv4.tcp_max_syn_backlog = 16384",
        "net.ipv4.ip_local_port_range = 1024 65535",
        "net.ipv4.tcp_fin_timeout = 15",
        "net.ipv4.tcp_tw_reuse = 1",
    ] {
        assert!(sysctl.lines().any(|each| each == line), "{line} in {sysctl}");
    }
    let piece = read("etc/systemd/system/nginx.service.d/zz-bedloe.conf");
    assert!(piece.ends_with("[Service]\nLimitNOFILE=200000:524288\n"), "{piece}");
    let logins = read("etc/security/limits.d/zz-bedloe.conf");
    assert!(logins.contains("nginx soft nofile 200000\nnginx hard nofile 524288\n"), "{logins}");
    assert!(logins.contains("root soft nofile 200000\n") && !logins.contains("www-data"), "{logins}");
    let mode = fs::metadata(folder.path().join(SYSCTL)).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o644);
    assert_eq!(fs::metadata(folder.path().join("var/lib/bedloe/tune")).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn runs_of_several_roles_are_undone_one_by_one_or_all() {
    let (folder, root) = tree();
    let before = snapshot(folder.path());
    apply_now(&root, Role::Balancer).unwrap();
    let first = snapshot(folder.path());
    apply_now(&root, Role::Liberty).unwrap();
    let text = fs::read_to_string(folder.path().join(SYSCTL)).unwrap();
    assert!(text.contains("vm.swappiness = 10") && text.contains("net.ipv4.tcp_tw_reuse = 1"), "{text}");
    assert_eq!(undo(&root, &mut Fake::default(), false, false).unwrap(), undone(1, 1));
    assert_eq!(snapshot(folder.path()), first);
    apply_now(&root, Role::Liberty).unwrap();
    assert_eq!(undo(&root, &mut Fake::default(), true, false).unwrap(), undone(2, 0));
    assert_eq!(snapshot(folder.path()), before);
    assert_eq!(undo(&root, &mut Fake::default(), true, false).unwrap(), undone(0, 0));
}

#[test]
fn what_is_more_already_stays() {
    let (folder, root) = tree();
    put(folder.path(), "etc/sysctl.d/50-own.conf", "net/core/somaxconn = 100000\nnet.ipv4.tcp_fin_timeout=5\n");
    put(folder.path(), "proc/sys/fs/file-max", "9223372036854775807\n");
    put(folder.path(), "etc/systemd/system/nginx.service.d/override.conf", "[Service]\nLimitNOFILE=1M:infinity\n");
    put(folder.path(), "etc/security/limits.d/20.conf", "nginx - nofile unlimited # all\n");
    let look = look(&root, &ask(Role::Balancer)).unwrap();
    for setting in [
        "net.core.somaxconn",
        "net.ipv4.tcp_fin_timeout",
        "fs.file-max",
        "LimitNOFILE of nginx.service",
        "nofile of logins of nginx",
    ] {
        assert_eq!(state(&look, setting), State::Ok, "{setting}");
    }
    let sysctl = look.plan.files.iter().find(|file| file.path == SYSCTL).unwrap();
    assert!(!sysctl.content().contains("somaxconn") && sysctl.content().contains("netdev_max_backlog"));
}

#[test]
fn files_that_are_read_after_ours_are_named() {
    let (folder, root) = tree();
    put(folder.path(), "etc/sysctl.conf", "net.core.somaxconn=128\n");
    put(folder.path(), "etc/sysctl.d/99-zzz.conf", "\n# late\nfs.file-max = 1000\n");
    put(folder.path(), "usr/lib/sysctl.d/10-hidden.conf", "net.ipv4.tcp_tw_reuse=0\n");
    symlink("/dev/null", folder.path().join("etc/sysctl.d/10-hidden.conf")).unwrap();
    put(folder.path(), "etc/systemd/system/nginx.service.d/zzz.conf", "[Service]\nLimitNOFILE=10\n");
    let look = look(&root, &ask(Role::Balancer)).unwrap();
    for (setting, place) in [
        ("net.core.somaxconn", "/etc/sysctl.conf:1"),
        ("fs.file-max", "/etc/sysctl.d/99-zzz.conf:3"),
        ("LimitNOFILE of nginx.service", "/etc/systemd/system/nginx.service.d/zzz.conf"),
    ] {
        let row = look.rows.iter().find(|row| row.setting == setting).unwrap();
        assert_eq!((row.state, row.set_in.as_deref(), row.ok), (State::Overruled, Some(place), false), "{setting}");
    }
    let reuse = look.rows.iter().find(|row| row.setting == "net.ipv4.tcp_tw_reuse").unwrap();
    assert_eq!((reuse.state, reuse.now.as_str()), (State::Low, "-"));
}

#[test]
fn listeners_keep_their_ports() {
    let (folder, root) = tree();
    let table = "  sl  local_address rem_address   st\n 0: 00000000:2378 00000000:0000 0A\n 1: 00000000:01BB 0:0 0A\n";
    put(folder.path(), "proc/net/tcp", table);
    put(folder.path(), "proc/sys/net/ipv4/ip_local_reserved_ports", "7000\n");
    let plan = apply_now(&root, Role::Balancer).unwrap();
    let file = plan.files.iter().find(|file| file.path == SYSCTL).unwrap();
    assert!(file.content().contains("net.ipv4.ip_local_reserved_ports = 7000,9080\n"), "{}", file.content());
}

#[test]
fn figures_follow_memory_cores_rate_and_connections() {
    let wanted = |memory_mib: u64, cores: &str, rate, connections| {
        let (folder, root) = tree();
        put(folder.path(), "proc/meminfo", &format!("MemTotal: {} kB\n", memory_mib << 10));
        put(folder.path(), "sys/devices/system/cpu/online", cores);
        put(folder.path(), "proc/sys/net/netfilter/nf_conntrack_max", "65536\n");
        let ask = Ask { rate, connections, ..ask(Role::Balancer) };
        let rows = look(&root, &ask).unwrap().rows;
        let of = |name: &str| rows.iter().find(|row| row.setting == name).unwrap().wanted.parse::<u64>().unwrap();
        [
            of("LimitNOFILE of nginx.service"),
            of("net.core.somaxconn"),
            of("net.core.netdev_max_backlog"),
            of("net.netfilter.nf_conntrack_max"),
        ]
    };
    assert_eq!(wanted(8192, "0-1", 8000, 20_000), [200_000, 65_535, 16_384, 1_000_000]);
    assert_eq!(wanted(512, "0-3", 8000, 20_000), [65_536, 32_768, 4096, 104_857]);
    assert_eq!(wanted(262_144, "0-63", 100_000, 500_000), [1_004_096, 500_000, 131_072, 13_000_000]);
}

#[test]
fn a_refused_value_undoes_all_of_the_run() {
    let (folder, root) = tree();
    let before = snapshot(folder.path());
    let mut plan = look(&root, &ask(Role::Balancer)).unwrap().plan;
    let value = |path: &str, before: &str, after: &str| ValueChange {
        name: path.to_owned(),
        path: path.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
    };
    let range = "proc/sys/net/ipv4/ip_local_port_range";
    plan.values = vec![value(SOMAXCONN, "128", "65535"), value(range, "1 2", "1024 65535")];
    let values = BTreeMap::from([(SOMAXCONN.to_owned(), "128".to_owned()), (range.to_owned(), "1 2".to_owned())]);
    let mut kernel = Fake { values: values.clone(), refused: Some((range, 22)), ..Fake::default() };
    let said = apply(&root, &plan, &ask(Role::Balancer), &mut kernel).unwrap_err().to_string();
    assert!(said.contains("ip_local_port_range = 1024 65535 was refused: Invalid argument"), "{said}");
    // The tree is no host: its kernel's values are left to the test's record of them.
    assert!(said.ends_with("everything of this run was undone"), "{said}");
    assert_eq!(snapshot(folder.path()), before);
    let mut kernel = Fake { values, cut: Some((SOMAXCONN, "4096")), ..Fake::default() };
    let said = apply(&root, &plan, &ask(Role::Balancer), &mut kernel).unwrap_err().to_string();
    assert!(said.contains("the kernel made \"4096\" of it"), "{said}");
    assert_eq!(snapshot(folder.path()), before);
}

/// A record made on a host, its values put back; the host's root stands for the files, of which there are none.
#[test]
fn values_and_limits_are_put_back_in_the_reverse_order() {
    let root = Root::open(Path::new("/")).unwrap();
    let value = |path: &str, before: &str, after: &str| record::ValueRecord {
        path: path.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
    };
    let (low, high) = (Limits { soft: 1024, hard: 4096 }, Limits { soft: 200_000, hard: 200_000 });
    let process = |pid| ProcessChange { pid, name: "nginx".to_owned(), start: 1, before: low, after: high };
    let plan = Plan { processes: vec![process(7), process(8), process(9)], ..Plan::default() };
    let mut record = record::Record::of(&plan, &ask(Role::Balancer));
    record.values = vec![value("a", "1", "2"), value("b", "1", "2"), value("c", "1", "2"), value("gone", "1", "2")];
    let values = [("a", "2"), ("b", "1"), ("c", "2")];
    let mut kernel = Fake {
        values: values.map(|(path, value)| (path.to_owned(), value.to_owned())).into(),
        limits: BTreeMap::from([(7, high), (8, Limits { soft: 5, hard: 5 })]),
        ..Fake::default()
    };
    assert_eq!(undo::put_back(&root, &record, &mut kernel, false), Vec::<String>::new());
    assert_eq!(kernel.written, ["c=1", "a=1"]);
    assert_eq!(kernel.limits, BTreeMap::from([(7, low), (8, Limits { soft: 5, hard: 5 })]));
    kernel.values.insert("a".to_owned(), "2".to_owned());
    kernel.refused = Some(("a", 1));
    let left = undo::put_back(&root, &record, &mut kernel, false);
    assert_eq!(left, ["/a (Operation not permitted (os error 1))"]);
}

#[test]
fn a_process_is_limited_and_told_from_a_later_one_of_its_id() {
    let root = Root::open(Path::new("/")).unwrap();
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let process = limits::process(&root, child.id()).unwrap();
    let mut kernel = Kernel(&root);
    let after = Limits { soft: 7, ..process.limits };
    kernel.set_limits(process.pid, after).unwrap();
    assert_eq!(kernel.limits(process.pid, process.start), Some(after));
    assert_eq!(kernel.limits(process.pid, process.start + 1), None);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(kernel.limits(process.pid, process.start), None);
}

#[test]
fn limits_that_root_is_kept_from_are_not_tried() {
    let process = |owner, hard| limits::Process {
        pid: 1,
        name: "nginx".to_owned(),
        start: 1,
        limits: Limits { soft: 10, hard },
        owner,
    };
    let facts = |processes, rights: limits::Rights| Facts { processes, rights, ..Facts::default() };
    let (folder, root) = tree();
    for ((user, has_resource, raises_hard), process, expected) in [
        ((0, true, true), process(101, 10), State::Low),
        ((0, false, false), process(0, 10), State::Forbidden),
        ((0, false, false), process(0, 300_000), State::Low),
        ((0, false, false), process(101, 300_000), State::Forbidden),
        ((7, false, false), process(0, 10), State::Low),
        // In a user namespace, where root has all rights and the kernel still keeps hard limits as they are.
        ((0, true, false), process(0, 10), State::Forbidden),
        ((0, true, false), process(101, 300_000), State::Low),
        (
            (0, true, true),
            limits::Process { limits: Limits { soft: 300_000, hard: 300_000 }, ..process(0, 10) },
            State::Ok,
        ),
    ] {
        let rights = limits::Rights { user, has_resource, raises_hard };
        let facts = facts(vec![process], rights);
        let look = compare(&root, &facts, &ask(Role::Balancer)).unwrap();
        assert_eq!(state(&look, "open files of nginx (process 1)"), expected, "{facts:?}");
        assert_eq!(look.plan.processes.len(), usize::from(expected == State::Low));
    }
    drop(folder);
}

#[test]
fn links_do_not_lead_out_of_the_tree() {
    let outside = tempfile::tempdir().unwrap();
    put(outside.path(), "secret", "net.core.somaxconn = 99999\n");
    let untouched = snapshot(outside.path());
    let (folder, root) = tree();
    symlink(outside.path().join("secret"), folder.path().join("etc/sysctl.d/50.conf")).unwrap();
    symlink("../../../../../../../../etc/passwd", folder.path().join("etc/sysctl.conf")).unwrap();
    let seen = look(&root, &ask(Role::Balancer)).unwrap();
    assert_eq!(state(&seen, "net.core.somaxconn"), State::Low);

    // A folder that leads out, by an absolute link and by a relative one.
    fs::create_dir_all(folder.path().join("etc/systemd")).unwrap();
    symlink(outside.path(), folder.path().join("etc/systemd/system")).unwrap();
    let failed = apply_now(&root, Role::Balancer);
    assert!(failed.is_err(), "{failed:?}");
    fs::remove_file(folder.path().join("etc/systemd/system")).unwrap();
    symlink("../../../..", folder.path().join("var")).unwrap();
    let _ = apply_now(&root, Role::Balancer);
    assert_eq!(snapshot(outside.path()), untouched);

    // Our own file's name, as a link.
    let (folder, root) = tree();
    symlink(outside.path().join("secret"), folder.path().join(SYSCTL)).unwrap();
    let said = apply_now(&root, Role::Balancer).unwrap_err().to_string();
    assert!(said.contains("cannot read /etc/sysctl.d/99-zz-bedloe.conf: it is a symbolic link"), "{said}");
    assert_eq!(snapshot(outside.path()), untouched);
}

#[test]
fn a_pipe_or_a_device_in_a_tree_is_not_opened() {
    let (folder, root) = tree();
    for path in ["etc/sysctl.conf", "etc/sysctl.d/10.conf"] {
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, folder.path().join(path), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    }
    assert!(look(&root, &ask(Role::Balancer)).is_ok());
    assert!(root.read("etc/sysctl.conf").unwrap_err().to_string().contains("not a plain file"));
}

#[test]
fn a_run_that_was_cut_off_is_undone() {
    let (folder, root) = tree();
    let before = snapshot(folder.path());
    let plan = apply_now(&root, Role::Balancer).unwrap();
    let path = folder.path().join("var/lib/bedloe/tune/0001.json");
    // As it is left by a loss of power: the record begun, some files written, one half, some not.
    let (_, mut record) = record::records(&root).unwrap().remove(0);
    record.progress = record::Progress::Begun;
    record::Store::existing(&root).unwrap().unwrap().save(1, &record).unwrap();
    fs::remove_file(folder.path().join(&plan.files[0].path)).unwrap();
    put(folder.path(), "etc/sysctl.d/.99-zz-bedloe.conf.bedloe-new", "hal");
    put(folder.path(), "var/lib/bedloe/tune/.0001.json.bedloe-new", "{");
    let said = apply_now(&root, Role::Balancer).unwrap_err().to_string();
    assert!(said.contains("0001.json is of a run that was cut off: `bedloe tune undo`"), "{said}");
    assert!(undoable(&root, false).unwrap()[0].contains("cut off"));
    assert!(unfinished(&root).unwrap().contains("0001.json): `bedloe tune undo`"));
    assert!(path.exists());
    undo(&root, &mut Fake::default(), false, false).unwrap();
    assert_eq!((snapshot(folder.path()), unfinished(&root)), (before, None));
}

#[test]
fn a_record_that_was_changed_is_refused() {
    let (folder, root) = tree();
    apply_now(&root, Role::Balancer).unwrap();
    let path = folder.path().join("var/lib/bedloe/tune/0001.json");
    let whole = fs::read_to_string(&path).unwrap();
    let after = || {
        let mut all = snapshot(folder.path());
        all.remove(&path);
        all
    };
    let applied = after();
    for (text, words) in [
        (whole[..whole.len() / 2].to_owned(), "cannot be understood"),
        (String::new(), "cannot be understood"),
        (whole.replace("somaxconn = 65535", "somaxconn = 1"), "its digest differs"),
        (whole.replace("etc/sysctl.d/99-zz-bedloe.conf", "etc/shadow"), "its digest differs"),
    ] {
        fs::write(&path, text).unwrap();
        for said in [
            undo(&root, &mut Fake::default(), true, true).unwrap_err().to_string(),
            undoable(&root, true).unwrap_err().to_string(),
            apply_now(&root, Role::Liberty).unwrap_err().to_string(),
        ] {
            assert!(said.contains("0001.json") && said.contains(words), "{said}");
        }
        assert_eq!(after(), applied);
    }
    fs::write(&path, &whole).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let said = undo(&root, &mut Fake::default(), true, true).unwrap_err().to_string();
    assert!(said.contains("is open to others"), "{said}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    // Sealed anew by somebody who knows how, and still leading nowhere else.
    let (_, mut record) = record::records(&root).unwrap().remove(0);
    record.files[0].path = "etc/systemd/system/../../shadow.service.d/zz-bedloe.conf".to_owned();
    record::Store::existing(&root).unwrap().unwrap().save(1, &record).unwrap();
    let said = undo(&root, &mut Fake::default(), true, true).unwrap_err().to_string();
    assert!(said.contains("which is never tuned"), "{said}");
    fs::set_permissions(folder.path().join("var/lib/bedloe/tune"), fs::Permissions::from_mode(0o777)).unwrap();
    let said = undo(&root, &mut Fake::default(), true, true).unwrap_err().to_string();
    assert!(said.contains("others may write there"), "{said}");
}

#[test]
fn what_was_changed_since_is_kept_unless_forced() {
    let (folder, root) = tree();
    let before = snapshot(folder.path());
    apply_now(&root, Role::Balancer).unwrap();
    let own = folder.path().join(SYSCTL);
    fs::write(&own, "# mine now\n").unwrap();
    let applied = snapshot(folder.path());
    let said = undo(&root, &mut Fake::default(), false, false).unwrap_err().to_string();
    assert!(said.contains("/etc/sysctl.d/99-zz-bedloe.conf") && said.contains("--force"), "{said}");
    assert_eq!(snapshot(folder.path()), applied);
    undo(&root, &mut Fake::default(), false, true).unwrap();
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn one_run_at_a_time() {
    let (folder, root) = tree();
    let before = snapshot(folder.path());
    let plan = look(&root, &ask(Role::Balancer)).unwrap().plan;
    let held = record::Store::make(&root).unwrap();
    let said = apply(&root, &plan, &ask(Role::Balancer), &mut Fake::default()).unwrap_err().to_string();
    assert!(said.contains("another `bedloe tune` is at work"), "{said}");
    assert!(undo(&root, &mut Fake::default(), false, false).is_err());
    // As if it was cut off before it had a record: the next one finds what it made.
    drop(held);
    put(folder.path(), "var/lib/bedloe/tune/.0001.json.bedloe-new", "{");
    assert_eq!(undo(&root, &mut Fake::default(), false, false).unwrap(), undone(0, 0));
    assert_eq!(snapshot(folder.path()), before);
    // What was shown is what is done: a host that changed since is looked at anew.
    put(folder.path(), SYSCTL, "vm.swappiness = 1\n");
    let said = apply(&root, &plan, &ask(Role::Balancer), &mut Fake::default()).unwrap_err().to_string();
    assert!(said.contains("it was changed meanwhile"), "{said}");
}

#[test]
fn this_machine_can_be_looked_at() {
    let root = Root::open(Path::new("/")).unwrap();
    assert!(root.is_host());
    for role in [Role::Balancer, Role::Liberty, Role::Injector] {
        let facts = Facts::read(&root, &ask(role));
        let look = compare(&root, &facts, &ask(role)).unwrap();
        assert!(look.rows.iter().any(|row| row.setting == "fs.nr_open" && row.now.parse::<u64>().is_ok()));
        assert!(facts.memory_mib().is_some_and(|mib| mib > 0) && facts.cores().is_some_and(|cores| cores > 0));
    }
}
