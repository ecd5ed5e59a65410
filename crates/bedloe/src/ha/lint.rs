//! What is wrong in one configuration of keepalived, as far as an address that must move once and stay is concerned.
//!
//! Whether keepalived takes the file it says itself (`keepalived -t`); here is what it takes and does not do.

use std::path::Path;
use std::sync::Arc;

use conf::Diagnostic;
use conf::span::Place;

use super::tree::{Node, line, number, value};
use super::{error, in_range, script, warning};

/// The longest time without the address that nobody is warned of: clients give up by themselves about then.
const TAKEOVER_MAX_S: f64 = 3.0;
/// keepalived's own values where nothing is written.
const ADVERT_S: f64 = 1.0;
const PRIORITY: u16 = 100;
const GROUP: &str = "224.0.0.18";

/// Words at the start of a line of an instance, of a script and of `global_defs` that have a near miss worth telling.
const INSTANCE: &[&str] = &[
    "accept",
    "advert_int",
    "authentication",
    "check_unicast_src",
    "debug",
    "dont_track_primary",
    "down_timer_adverts",
    "garp_lower_prio_delay",
    "garp_lower_prio_repeat",
    "garp_master_delay",
    "garp_master_refresh",
    "garp_master_refresh_repeat",
    "garp_master_repeat",
    "higher_prio_send_advert",
    "interface",
    "kernel_rx_buf_size",
    "linkbeat_use_polling",
    "lower_prio_no_advert",
    "mcast_dst_ip",
    "mcast_src_ip",
    "native_ipv6",
    "no_accept",
    "nopreempt",
    "notify",
    "notify_backup",
    "notify_deleted",
    "notify_fault",
    "notify_master",
    "notify_master_rx_lower_pri",
    "notify_priority_changes",
    "notify_stop",
    "old_unicast_checksum",
    "preempt",
    "preempt_delay",
    "priority",
    "promote_secondaries",
    "skip_check_adv_addr",
    "smtp_alert",
    "state",
    "strict_mode",
    "track_bfd",
    "track_file",
    "track_interface",
    "track_process",
    "track_script",
    "track_src_ip",
    "unicast_fault_no_peer",
    "unicast_peer",
    "unicast_src_ip",
    "unicast_ttl",
    "use_ipvlan",
    "use_vmac",
    "use_vmac_addr",
    "version",
    "virtual_ipaddress",
    "virtual_ipaddress_excluded",
    "virtual_router_id",
    "virtual_routes",
    "virtual_rules",
    "vmac_xmit_base",
];
const SCRIPT: &[&str] = &["fall", "init_fail", "interval", "rise", "script", "timeout", "user", "weight"];
const GLOBAL: &[&str] = &[
    "dynamic_interfaces",
    "enable_script_security",
    "notification_email",
    "notification_email_from",
    "process_names",
    "router_id",
    "script_user",
    "smtp_connect_timeout",
    "smtp_server",
    "use_pid_dir",
    "vrrp_garp_interval",
    "vrrp_garp_lower_prio_delay",
    "vrrp_garp_lower_prio_repeat",
    "vrrp_garp_master_delay",
    "vrrp_garp_master_refresh",
    "vrrp_garp_master_refresh_repeat",
    "vrrp_garp_master_repeat",
    "vrrp_higher_prio_send_advert",
    "vrrp_lower_prio_no_advert",
    "vrrp_mcast_group4",
    "vrrp_mcast_group6",
    "vrrp_skip_check_adv_addr",
    "vrrp_startup_delay",
    "vrrp_strict",
    "vrrp_version",
];

/// An instance with what of the rest of the file holds for it.
pub(super) struct Instance<'n> {
    pub(super) node: &'n Node,
    pub(super) version: u8,
    /// The group that it tells, where it does so by multicast.
    pub(super) group: &'n str,
    /// The scripts that it goes by, with the weight of each.
    pub(super) scripts: Vec<(&'n Node, i32)>,
}

/// Everything found.
pub(super) fn findings(nodes: &[Node], path: &Path) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    words(nodes, &mut found);
    script::findings(nodes, global(nodes), &mut found);
    let instances = instances(nodes);
    if instances.is_empty() {
        let place = Place { file: Arc::new(path.to_owned()), ..Place::default() };
        let message = "there is no vrrp_instance here: no address is shared";
        found.push(Diagnostic::error("ha-missing", &place, message));
    }
    for instance in &instances {
        needed(instance, &mut found);
        times(instance, &mut found);
        tracked(instance, nodes, &mut found);
        preemption(instance, &mut found);
        unicast(instance, nodes, &mut found);
    }
    for (index, instance) in instances.iter().enumerate() {
        let key = |instance: &Instance<'_>| {
            let text = |name| value(&instance.node.block, name).map(|word| word.text.clone());
            (text("interface"), text("virtual_router_id"))
        };
        if let Some(word) = value(&instance.node.block, "virtual_router_id")
            && instances[..index].iter().any(|other| key(other) == key(instance))
        {
            found.push(error("ha-twice", word, "another instance of this interface has the same virtual_router_id"));
        }
    }
    found
}

/// The instances of a file.
pub(super) fn instances(nodes: &[Node]) -> Vec<Instance<'_>> {
    let global = global(nodes);
    let instances = nodes.iter().filter(|node| node.is("vrrp_instance"));
    let instance = |node| {
        let version = number(node_block(node), "version").or_else(|| number(global, "vrrp_version")).unwrap_or(2);
        let own = value(node_block(node), "mcast_dst_ip").or_else(|| value(global, "vrrp_mcast_group4"));
        let group = own.map_or(GROUP, |word| word.text.as_str());
        Instance { node, version, group, scripts: tracked_scripts(node, nodes) }
    };
    instances.map(instance).collect()
}

fn node_block(node: &Node) -> &[Node] {
    &node.block
}

fn global(nodes: &[Node]) -> &[Node] {
    line(nodes, "global_defs").map(node_block).unwrap_or_default()
}

/// The blocks of these names that an instance goes by: its own, and those of the group that it is a member of.
fn tracks<'n>(instance: &'n Node, nodes: &'n [Node], names: &[&str]) -> Vec<&'n Node> {
    let name = instance.value().map(|word| word.text.as_str());
    let is_member = |group: &&Node| {
        let members = line(&group.block, "group").map(node_block).unwrap_or_default();
        members.iter().flat_map(|line| &line.words).any(|word| Some(word.text.as_str()) == name)
    };
    let groups = nodes.iter().filter(|node| node.is("vrrp_sync_group")).filter(is_member);
    let blocks = [instance].into_iter().chain(groups);
    blocks.flat_map(|block| names.iter().filter_map(|name| line(&block.block, name))).collect()
}

/// The lines of `track_script`.
fn script_lines<'n>(instance: &'n Node, nodes: &'n [Node]) -> impl Iterator<Item = &'n Node> {
    tracks(instance, nodes, &["track_script"]).into_iter().flat_map(node_block)
}

/// `NAME` or `NAME weight N` in `track_script`.
fn tracked_scripts<'n>(instance: &'n Node, nodes: &'n [Node]) -> Vec<(&'n Node, i32)> {
    let one = |line: &'n Node| {
        let script = script::named(nodes, &line.name().text)?;
        let own = line.words.iter().position(|word| word.text == "weight").and_then(|at| line.words.get(at + 1));
        let weight = own.and_then(|word| word.text.parse().ok()).or_else(|| number(&script.block, "weight"));
        Some((script, weight.unwrap_or(0)))
    };
    script_lines(instance, nodes).filter_map(one).collect()
}

/// Words that keepalived does not know and that are near to one that it does.
fn words(nodes: &[Node], found: &mut Vec<Diagnostic>) {
    for node in nodes {
        let known = match node.name().text.as_str() {
            "vrrp_instance" => INSTANCE,
            "vrrp_script" => SCRIPT,
            "global_defs" => GLOBAL,
            _ => continue,
        };
        for line in node.block.iter().filter(|line| !known.contains(&line.name().text.as_str())) {
            let word = line.name();
            if let Some(near) = conf::nearest(&word.text, known.iter().copied()) {
                let message = format!("keepalived passes \"{}\" over: it has no such word", word.text);
                found.push(warning("ha-unknown", word, message).help(format!("did you mean \"{near}\"?")));
            }
        }
    }
}

/// What an instance cannot do without.
fn needed(instance: &Instance<'_>, found: &mut Vec<Diagnostic>) {
    let block = &instance.node.block;
    let name = instance.node.value().unwrap_or(instance.node.name());
    for word in ["interface", "virtual_router_id"] {
        if value(block, word).is_none() {
            found.push(error("ha-missing", name, format!("the instance has no {word}")));
        }
    }
    if line(block, "virtual_ipaddress").is_none_or(|node| node.block.is_empty()) {
        found.push(error("ha-missing", name, "the instance has no virtual_ipaddress: there is no address to share"));
    }
    for word in ["virtual_router_id", "priority"] {
        in_range(block, word, 1..=255, found);
    }
}

/// How long clients are without the address once its host is gone.
fn times(instance: &Instance<'_>, found: &mut Vec<Diagnostic>) {
    let (block, name) = (&instance.node.block, instance.node.value().unwrap_or(instance.node.name()));
    let written = value(block, "advert_int");
    let Some(advert) = written.map_or(Some(ADVERT_S), |word| word.text.parse().ok()) else { return };
    let word = written.unwrap_or(name);
    if instance.version == 2 && advert.fract() != 0.0 {
        let message = "VRRP 2 knows whole seconds alone";
        found.push(error("ha-version", word, message).help("add vrrp_version 3 to global_defs"));
        return;
    }
    let range = if instance.version == 2 { 1.0..=255.0 } else { 0.01..=40.95 };
    if !range.contains(&advert) {
        let message = format!("advert_int is from {} to {} seconds", range.start(), range.end());
        found.push(error("ha-range", word, message));
        return;
    }
    let priority = f64::from(number::<u16>(block, "priority").unwrap_or(PRIORITY));
    let skew = (256.0 - priority) / 256.0 * if instance.version == 2 { 1.0 } else { advert };
    let adverts = number::<u16>(block, "down_timer_adverts").unwrap_or(3);
    let takeover = f64::from(adverts) * advert + skew;
    if takeover > TAKEOVER_MAX_S {
        let message = format!("nobody has the address for {takeover:.1} s after its host is gone");
        let help = "vrrp_version 3 in global_defs and advert_int 0.3 make it 1.1 s";
        found.push(warning("ha-slow", word, message).help(help));
    }
    if let Some(auth) = line(block, "authentication").filter(|_| instance.version == 3) {
        found.push(warning("ha-authentication", auth.name(), "VRRP 3 has no authentication: this does nothing"));
    }
}

/// What an instance goes by.
fn tracked(instance: &Instance<'_>, nodes: &[Node], found: &mut Vec<Diagnostic>) {
    let block = &instance.node.block;
    let own = line(block, "track_script").map(node_block).unwrap_or_default();
    for script in own.iter().map(Node::name).filter(|name| script::named(nodes, &name.text).is_none()) {
        found.push(error("ha-script-unknown", script, format!("there is no vrrp_script \"{}\"", script.text)));
    }
    let others = ["track_process", "track_file", "track_bfd"];
    let is_asked = script_lines(instance.node, nodes).next().is_some();
    if !is_asked && tracks(instance.node, nodes, &others).is_empty() {
        let name = instance.node.value().unwrap_or(instance.node.name());
        let message = "nothing is asked of the balancer: a host whose balancer is dead keeps the address";
        let help = "let a vrrp_script run `bedloe ha alive --admin unix:PATH`, and name it in track_script";
        found.push(warning("ha-no-check", name, message).help(help));
    }
}

/// Whether the address moves when it should, and only then.
fn preemption(instance: &Instance<'_>, found: &mut Vec<Diagnostic>) {
    let block = &instance.node.block;
    let Some(nopreempt) = line(block, "nopreempt") else { return };
    if value(block, "state").is_some_and(|state| state.text.eq_ignore_ascii_case("MASTER")) {
        let message = "keepalived drops nopreempt where the state is MASTER: the address comes back at each start";
        found.push(warning("ha-nopreempt-master", nopreempt.name(), message).help("write state BACKUP at both"));
    }
    if let Some((script, weight)) = instance.scripts.iter().find(|(_, weight)| *weight != 0) {
        let name = script.value().map_or("", |word| word.text.as_str());
        let message = format!(
            "with nopreempt the other balancer does not take over from one of less priority: \"{name}\" (weight \
             {weight}) changes nothing"
        );
        let help =
            "take nopreempt away and give both one priority: then the address stays where it is, and weights hold";
        found.push(warning("ha-nopreempt-weight", nopreempt.name(), message).help(help));
    }
}

fn unicast(instance: &Instance<'_>, nodes: &[Node], found: &mut Vec<Diagnostic>) {
    let block = &instance.node.block;
    let Some(peers) = line(block, "unicast_peer") else { return };
    let own = value(block, "unicast_src_ip");
    if own.is_none() {
        let message = "without unicast_src_ip the interface's first address is taken, and the other one may drop it";
        found.push(warning("ha-unicast-source", peers.name(), message));
    }
    if peers.block.is_empty() {
        found.push(error("ha-missing", peers.name(), "no peer is named: nobody hears that this host is there"));
    }
    for peer in peers.block.iter().map(Node::name).filter(|peer| own.is_some_and(|own| own.text == peer.text)) {
        found.push(error("ha-unicast-self", peer, "this is the host's own address: name the other balancer's"));
    }
    let strict = line(global(nodes), "vrrp_strict").or_else(|| line(block, "strict_mode"));
    let is_off = |node: &&Node| node.value().is_some_and(|word| ["off", "false", "no"].contains(&word.text.as_str()));
    if let Some(strict) = strict.filter(|node| !is_off(node)) {
        let message = "strict VRRP forbids unicast_peer, and drops all packets to the shared address";
        found.push(error("ha-strict", strict.name(), message));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const GOOD: &str = "global_defs {\n vrrp_version 3\n enable_script_security\n}
vrrp_script ok {\n script \"/bin/sh -c true\"\n fall 2\n rise 2\n}
vrrp_instance one {\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority 100\n advert_int 0.3
 unicast_src_ip 10.0.0.2\n unicast_peer {\n  10.0.0.3\n }\n virtual_ipaddress {\n  10.0.0.10/24\n }
 track_script {\n  ok\n }\n}\n";

    /// What is found once these are replaced, as `line:column code`.
    fn found(replaced: &[(&str, &str)]) -> Vec<String> {
        let text = replaced.iter().fold(GOOD.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from:?}");
            text.replacen(from, to, 1)
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.conf");
        std::fs::write(&path, text).unwrap();
        let mut found = Vec::new();
        let nodes = super::super::tree::read(&path, &mut Vec::new(), &mut found);
        found.extend(findings(&nodes, &path));
        found.iter().map(|found| format!("{}:{} {}", found.place.line, found.place.column, found.code)).collect()
    }

    #[test]
    fn what_does_not_do_what_it_seems_to_is_found_at_its_place() {
        assert_eq!(found(&[]), [""; 0]);
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[("vrrp_version 3", "router_id a")], "15:13 ha-version"),
            (&[("vrrp_version 3", "router_id a"), ("advert_int 0.3", "advert_int 1")], "15:13 ha-slow"),
            (&[(" advert_int 0.3\n", "")], "10:15 ha-slow"),
            (&[("advert_int 0.3", "advert_int 0")], "15:13 ha-range"),
            (&[("router_id 51", "router_id 256")], "13:20 ha-range"),
            (&[("priority 100", "priority x")], "14:11 ha-range"),
            (&[(" interface eth0\n", "")], "10:15 ha-missing"),
            (&[("  10.0.0.10/24\n", "")], "10:15 ha-missing"),
            (&[("  10.0.0.3\n", "")], "17:2 ha-missing"),
            (&[("10.0.0.3", "10.0.0.2")], "18:3 ha-unicast-self"),
            (&[(" unicast_src_ip 10.0.0.2\n", "")], "16:2 ha-unicast-source"),
            (&[(" enable_script_security\n", " vrrp_strict\n enable_script_security\n")], "3:2 ha-strict"),
            (&[(" enable_script_security\n", "")], "4:1 ha-script-security"),
            (&[("  ok\n", "  no\n  ok\n")], "24:3 ha-script-unknown"),
            (&[("\n rise 2", "")], "5:13 ha-script-flaps"),
            (&[("fall 2", "fall 2\n timeout 9")], "5:13 ha-script-slow"),
            (&[("rise 2", "rise 600")], "5:13 ha-script-slow"),
            (&[("fall 2", "fall 99999999999999999999")], "7:7 ha-range"),
            (&[("fall 2", "fall x")], "7:7 ha-range"),
            (&[("rise 2", "rise 0")], "8:7 ha-range"),
            (&[("rise 2", "rise -1")], "8:7 ha-range"),
            (&[("rise 2", "rise 2\n interval 0")], "9:11 ha-range"),
            (&[("rise 2", "rise 2\n weight 254")], "9:9 ha-range"),
            (&[("/bin/sh", "/nowhere/sh")], "6:9 ha-script-file"),
            (&[(" script \"/bin/sh -c true\"\n", "")], "5:13 ha-missing"),
            (&[("rise 2", "risse 2\n rise 2")], "8:2 ha-unknown"),
            (&[("state BACKUP", "state MASTER\n nopreempt")], "12:2 ha-nopreempt-master"),
            (&[("state BACKUP", "nopreempt"), ("fall 2", "fall 2\n weight -5")], "12:2 ha-nopreempt-weight"),
            (&[("state BACKUP", "nopreempt"), ("  ok\n", "  ok weight 5\n")], "11:2 ha-nopreempt-weight"),
            (&[("state BACKUP", "authentication {\n auth_pass x\n }")], "11:2 ha-authentication"),
            (
                &[("vrrp_instance one", "vrrp_script b {\n script b\n fall 2\n rise 2\n}\nvrrp_instance one")],
                "10:13 ha-script-unused",
            ),
        ];
        for (replaced, expected) in table {
            assert_eq!(found(replaced), [*expected], "{replaced:?}");
        }
        let grouped = |group: &str| {
            let group = format!("vrrp_sync_group g {{\n group {{\n  one\n }}\n {group}\n}}\nvrrp_instance one");
            found(&[(" track_script {\n  ok\n }\n", ""), ("vrrp_instance one", &group)])
        };
        assert_eq!(grouped("track_script {\n  ok\n }"), [""; 0]);
        assert_eq!(grouped("global_tracking"), ["5:13 ha-script-unused", "16:15 ha-no-check"]);
        for text in ["", "virtual_server 10.0.0.1 80 {\n}\n"] {
            assert_eq!(found(&[(GOOD, text)]), ["0:0 ha-missing"], "{text}");
        }
        let none = found(&[(" track_script {\n  ok\n }\n", "")]);
        assert_eq!(none, ["5:13 ha-script-unused", "10:15 ha-no-check"]);
        let again =
            GOOD[GOOD.find("vrrp_instance").unwrap()..].to_owned() + GOOD.split_at(GOOD.find("vrrp_ins").unwrap()).1;
        let twice = found(&[(&GOOD[GOOD.find("vrrp_instance").unwrap()..], &again)]);
        assert_eq!(twice, ["30:20 ha-twice"]);
    }
}
