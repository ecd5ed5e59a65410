//! What is others' stays: their ports, their lines, their limits; and no limit is written that would keep a user out.

use super::super::facts::{Access, Value};
use super::*;

const LOGINS: &str = "etc/security/limits.d/zz-bedloe.conf";
const RESERVED: &str = "net.ipv4.ip_local_reserved_ports";

/// A running host with a setting now, below the folder of a tree's files.
pub(super) fn host(root: &Root, values: &[(&str, &str, Access)]) -> Facts {
    let values = values.iter().map(|(name, text, access)| {
        let text = (*text).to_owned();
        ((*name).to_owned(), Value { text, access: *access })
    });
    Facts { is_tree: false, values: values.collect(), ..Facts::read(root, &ask(Role::Balancer)) }
}

#[test]
fn no_port_of_a_file_or_a_hand_is_lost() {
    let (folder, root) = tree();
    let planned = |file: &str, now: &str, listening: &[u16]| {
        put(folder.path(), "etc/sysctl.d/50.conf", &format!("{RESERVED} = {file}\n"));
        let facts = host(&root, &[(RESERVED, now, Access::Open)]);
        let facts = Facts { listening: listening.iter().copied().collect(), ..facts };
        let plan = compare(&root, &facts, &ask(Role::Balancer)).unwrap().plan;
        let value = plan.values.iter().find(|value| value.name == RESERVED).map(|value| value.after.clone());
        let line = plan.files.iter().find(|file| file.path == SYSCTL).map(|file| file.content().to_owned());
        let line = line.and_then(|text| text.lines().find_map(|line| Some(line.split_once(RESERVED)?.1.to_owned())));
        (value.unwrap_or_default(), line.unwrap_or_default())
    };
    for (file, now, listening, value, line) in [
        // As the kernel writes it: it would be taken for another value otherwise, and all would be undone.
        ("9080, 9081", "7000", &[9080][..], "7000,9080-9081", ""),
        ("30000", "7000", &[9080], "7000,9080,30000", " = 7000,9080,30000"),
        ("30000", "9080", &[9080], "", " = 9080,30000"),
        ("9080", "9080", &[9080], "", ""),
    ] {
        let expected = (value.to_owned(), line.to_owned());
        assert_eq!(planned(file, now, listening), expected, "{file} {now}");
    }
}

#[test]
fn lines_that_somebody_added_to_our_files_stay() {
    let (folder, root) = tree();
    apply_now(&root, Role::Balancer).unwrap();
    let piece = "etc/systemd/system/nginx.service.d/zz-bedloe.conf";
    for (path, line) in
        [(SYSCTL, "# mine\nvm.dirty_ratio = 7"), (LOGINS, "nginx soft nproc 5000 # mine"), (piece, "Nice=1")]
    {
        let text = fs::read_to_string(folder.path().join(path)).unwrap();
        // Without a new line at the end, as some editors leave it.
        put(folder.path(), path, &(text + line));
    }
    let more = Ask { connections: 200_000, ..ask(Role::Balancer) };
    let plan = look(&root, &more).unwrap().plan;
    apply(&root, &plan, &more, &mut Fake::default()).unwrap();
    for (path, lines) in [
        (SYSCTL, &["# mine", "vm.dirty_ratio = 7", "net.core.somaxconn = 200000"][..]),
        (LOGINS, &["nginx soft nproc 5000 # mine", "nginx soft nofile 404096"]),
        (piece, &["[Service]", "Nice=1", "LimitNOFILE=404096:524288"]),
    ] {
        let text = fs::read_to_string(folder.path().join(path)).unwrap();
        for line in lines {
            assert_eq!(text.lines().filter(|each| each == line).count(), 1, "{line} in {text}");
        }
        assert_eq!(text.matches("bedloe tune undo").count(), 1, "{text}");
    }
    assert!(look(&root, &more).unwrap().plan.is_empty());
}

/// `pam_limits` lets nobody in whose limit the kernel refuses.
#[test]
fn no_login_is_given_more_than_a_process_may_have() {
    let (folder, root) = tree();
    put(folder.path(), "etc/sysctl.d/99-zzz.conf", "fs.nr_open = 65536\n");
    let late = look(&root, &ask(Role::Balancer)).unwrap();
    fs::remove_file(folder.path().join("etc/sysctl.d/99-zzz.conf")).unwrap();
    let kept = host(&root, &[("fs.nr_open", "65536", Access::Forbidden)]);
    let kept = compare(&root, &kept, &ask(Role::Balancer)).unwrap();
    for (look, expected) in [(late, State::Overruled), (kept, State::Forbidden)] {
        let row = look.rows.iter().find(|row| row.setting == "fs.nr_open").unwrap();
        assert_eq!((row.state, row.wanted.as_str()), (expected, "1048576"));
        let row = look.rows.iter().find(|row| row.setting == "nofile of logins of root").unwrap();
        assert_eq!(row.wanted, "65536");
        let logins = look.plan.files.iter().find(|file| file.path == LOGINS).unwrap().content();
        assert!(logins.contains("root soft nofile 65536\nroot hard nofile 65536\n"), "{logins}");
        let row = look.rows.iter().find(|row| row.setting == "LimitNOFILE of nginx.service").unwrap();
        assert!(row.wanted == "65536" && row.why.contains("fs.nr_open") && row.why.contains("allows 65536"), "{row:?}");
    }
}

#[test]
fn a_limit_of_a_group_a_template_or_all_services_is_not_lowered() {
    let (folder, root) = tree();
    put(folder.path(), "etc/group", "web:x:33:\nwheel:x:10:bob,nginx\nother:x:34:bob\n");
    for (path, text) in [
        ("etc/security/limits.d/10.conf", "@wheel - nofile 1048576\n@other - nofile 7\n* - nofile 8\n"),
        ("usr/lib/systemd/system/liberty@.service", "[Service]\nLimitNOFILE=1M\n"),
        ("etc/systemd/system/liberty@.service.d/5.conf", "[Service]\nNice=1\n"),
        ("usr/lib/systemd/system/liberty-shop.service", "[Service]\n"),
        ("etc/systemd/system/liberty-.service.d/5.conf", "[Service]\nLimitNOFILE=2M\n"),
        ("usr/lib/systemd/system.conf.d/9.conf", "[Manager]\nDefaultLimitNOFILE=300000\n"),
        ("etc/systemd/system/service.d/zzz.conf", "[Service]\nLimitNOFILE=400000\n"),
    ] {
        put(folder.path(), path, text);
    }
    let balancer = look(&root, &ask(Role::Balancer)).unwrap();
    let liberty = Ask { services: vec!["liberty@shop".to_owned()], ..ask(Role::Liberty) };
    let now = |look: &Look, setting: &str| {
        look.rows.iter().find(|row| row.setting == setting).map(|row| (row.now.clone(), row.state)).unwrap()
    };
    assert_eq!(now(&balancer, "nofile of logins of nginx"), ("1048576".to_owned(), State::Ok));
    assert_eq!(now(&balancer, "nofile of logins of root"), ("-".to_owned(), State::Low));
    assert_eq!(now(&balancer, "LimitNOFILE of nginx.service"), ("400000".to_owned(), State::Ok));
    fs::remove_file(folder.path().join("etc/systemd/system/service.d/zzz.conf")).unwrap();
    let balancer = look(&root, &ask(Role::Balancer)).unwrap();
    let liberty = look(&root, &liberty).unwrap();
    assert_eq!(now(&balancer, "LimitNOFILE of nginx.service"), ("300000".to_owned(), State::Ok));
    assert_eq!(now(&liberty, "LimitNOFILE of liberty@shop.service"), ("1048576".to_owned(), State::Ok));
    assert_eq!(now(&liberty, "LimitNOFILE of liberty-shop.service"), ("2097152".to_owned(), State::Ok));
}

/// What a strange tree has beside units does not get into the script of `plan`.
#[test]
fn what_systemd_takes_for_no_service_is_none() {
    let (folder, root) = tree();
    for name in ["liberty-1", "wlp$(id)", "wlp\n#", "wlp \u{1b}[2J", "liberty@"] {
        put(folder.path(), &format!("usr/lib/systemd/system/{name}.service"), "[Service]\n");
    }
    let rows = look(&root, &ask(Role::Liberty)).unwrap().rows;
    let services = rows.iter().filter_map(|row| row.setting.strip_prefix("LimitNOFILE of "));
    assert_eq!(services.collect::<Vec<_>>(), ["liberty-1.service", "liberty@.service"]);
}

#[test]
fn an_undoing_of_all_says_what_it_did_before_it_stopped() {
    let (folder, root) = tree();
    apply_now(&root, Role::Balancer).unwrap();
    put(folder.path(), SYSCTL, "# all mine\n");
    apply_now(&root, Role::Liberty).unwrap();
    let said = undo(&root, &mut Fake::default(), true, false).unwrap_err().to_string();
    assert!(said.contains("99-zz-bedloe.conf; 1 later undone, and this one not. --force"), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join(SYSCTL)).unwrap(), "# all mine\n");
    // A stranger beside the records, whose name reads as a number, is none.
    let record = folder.path().join("var/lib/bedloe/tune/0001.json");
    fs::copy(&record, record.with_file_name("+1.json")).unwrap();
    assert_eq!(record::records(&root).unwrap().len(), 1);
}

/// Bits that no such file has are not given to ours, and are there again afterwards.
#[test]
fn an_odd_mode_is_put_back() {
    let (folder, root) = tree();
    put(folder.path(), SYSCTL, "net.core.somaxconn = 1\n");
    fs::set_permissions(folder.path().join(SYSCTL), fs::Permissions::from_mode(0o1644)).unwrap();
    let before = snapshot(folder.path());
    apply_now(&root, Role::Balancer).unwrap();
    undo(&root, &mut Fake::default(), false, false).unwrap();
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn files_whose_record_is_gone_are_named() {
    let (folder, root) = tree();
    put(folder.path(), "etc/tmpfiles.d/00-bedloe.conf", "# somebody else's\n");
    apply_now(&root, Role::Balancer).unwrap();
    fs::remove_file(folder.path().join("var/lib/bedloe/tune/0001.json")).unwrap();
    assert_eq!(undo(&root, &mut Fake::default(), false, false).unwrap(), undone(0, 0));
    assert_eq!(orphans(&root), [SYSCTL, LOGINS, "etc/systemd/system/nginx.service.d/zz-bedloe.conf"]);
}

/// An error's words come once, also where causes are printed behind.
#[test]
fn an_error_is_said_once() {
    let (folder, root) = tree();
    fs::create_dir(folder.path().join(SYSCTL)).unwrap();
    let error = apply_now(&root, Role::Balancer).unwrap_err();
    assert_eq!(error.to_string(), "cannot read /etc/sysctl.d/99-zz-bedloe.conf: is a directory");
    assert!(std::error::Error::source(&error).is_none());
}
