//! Ports that services keep, and the table of conntrack.

use super::super::facts::Access;
use super::kept::host;
use super::*;

const RESERVED: &str = "net.ipv4.ip_local_reserved_ports";
const MODULES: &str = "etc/modules-load.d/zz-bedloe.conf";

fn line(plan: &Plan, path: &str, key: &str) -> Option<String> {
    let text = plan.files.iter().find(|file| file.path == path)?.content().to_owned();
    text.lines().find(|line| line.starts_with(key)).map(str::to_owned)
}

#[test]
fn ports_of_udp_and_those_that_are_named_are_kept() {
    let (folder, root) = tree();
    put(folder.path(), "proc/net/udp6", "  sl  local_address\n 0: 00:14E9 00:0000 07\n 1: 00:A000 00:0000 07\n");
    put(folder.path(), "proc/net/tcp6", "  sl  local_address\n 0: 00:2378 00:0000 0A\n");
    let of = |role, ports: &[u16]| {
        let ask = Ask { ports: ports.to_vec(), ..ask(role) };
        line(&look(&root, &ask).unwrap().plan, SYSCTL, RESERVED)
    };
    assert_eq!(of(Role::Balancer, &[]), Some(format!("{RESERVED} = 5353,9080")));
    assert_eq!(of(Role::Balancer, &[8443, 9443]), Some(format!("{RESERVED} = 5353,8443,9080,9443")));
    // Its range of ports stays as it is, and has none of these.
    assert_eq!(of(Role::Liberty, &[]), None);
    assert_eq!(of(Role::Liberty, &[40_080]), Some(format!("{RESERVED} = 40080")));
}

/// The kernel's list of a balancer that is busy is longer than what is read of any file.
#[test]
fn listeners_are_found_beside_any_number_of_connections() {
    let (folder, root) = tree();
    let connection = format!("   1: 0100007F:A000 0100007F:2378 01 {:95}\n", "");
    let text = "  sl  local_address\n   0: 00000000:2378 00000000:0000 0A\n".to_owned() + &connection.repeat(150_000);
    put(folder.path(), "proc/net/tcp", &text);
    let plan = look(&root, &ask(Role::Balancer)).unwrap().plan;
    assert_eq!(line(&plan, SYSCTL, RESERVED), Some(format!("{RESERVED} = 9080")));
}

#[test]
fn a_host_whose_segments_carry_no_time_is_told_what_that_costs() {
    let (folder, root) = tree();
    let told = |role| {
        let rows = look(&root, &ask(role)).unwrap().rows;
        rows.into_iter().find(|row| row.setting == "net.ipv4.tcp_timestamps").map(|row| row.state)
    };
    assert_eq!(told(Role::Balancer), None);
    put(folder.path(), "etc/sysctl.d/hard.conf", "net.ipv4.tcp_timestamps = 0\n");
    assert_eq!((told(Role::Balancer), told(Role::Liberty)), (Some(State::Advice), None));
}

/// Else a connection may take such a port in between.
#[test]
fn ports_are_kept_before_there_are_more_for_connections() {
    let (_folder, root) = tree();
    let range = "net.ipv4.ip_local_port_range";
    let facts = host(&root, &[(range, "32768 60999", Access::Open), (RESERVED, "", Access::Open)]);
    let plan = compare(&root, &Facts { listening: [9080].into(), ..facts }, &ask(Role::Balancer)).unwrap().plan;
    let names: Vec<&str> = plan.values.iter().map(|value| value.name.as_str()).collect();
    assert_eq!(names, [RESERVED, range]);
}

#[test]
fn the_table_of_conntrack_has_buckets_for_its_entries_and_is_there_at_the_start() {
    let (folder, root) = tree();
    let (most, buckets) = ("net.netfilter.nf_conntrack_max", "net.netfilter.nf_conntrack_buckets");
    let planned = |values: &[(&str, &str, Access)], loads_conntrack| {
        let facts = Facts { loads_conntrack, memory_bytes: Some(8 << 30), ..host(&root, values) };
        compare(&root, &facts, &ask(Role::Balancer)).unwrap().plan
    };
    let small = [(most, "65536", Access::Open), (buckets, "16384", Access::Open)];
    let plan = planned(&small, true);
    let set: Vec<String> = plan.values.iter().map(|value| format!("{} = {}", value.name, value.after)).collect();
    // A million in fours, in whole pages.
    assert_eq!(set, [format!("{most} = 1000000"), format!("{buckets} = 253952")]);
    assert_eq!(line(&plan, SYSCTL, most).as_deref(), Some("net.netfilter.nf_conntrack_max = 1000000"));
    assert_eq!(line(&plan, MODULES, "nf_").as_deref(), Some("nf_conntrack"));
    assert_eq!(line(&planned(&small, false), MODULES, "nf_"), None);
    let large = [(most, "2000000", Access::Open), (buckets, "2000000", Access::Open)];
    assert_eq!(line(&planned(&large, true), MODULES, "nf_"), None);
    assert_eq!(planned(&[], false).values, []);
    let unlimited = [(most, "0", Access::Open), (buckets, "16384", Access::Open)];
    assert_eq!(planned(&unlimited, false).values, [], "0 is without a limit");
    // What is written there is put back too.
    let before = snapshot(folder.path());
    let mut plan = plan;
    plan.values.clear();
    apply(&root, &plan, &ask(Role::Balancer), &mut Fake::default()).unwrap();
    assert!(folder.path().join(MODULES).exists());
    undo(&root, &mut Fake::default(), false, false).unwrap();
    assert_eq!(snapshot(folder.path()), before);
}
