//! What in the configurations of two balancers does not fit together.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use conf::Diagnostic;
use conf::span::Place;

use super::lint::{Instance, instances};
use super::tree::{Node, Word, line, number, value};
use super::{error, warning};

/// Everything found in the second file, whose path that is, beside the first.
pub(super) fn findings(first: &[Node], second: &[Node], path: &Path) -> Vec<Diagnostic> {
    let (first, second) = (instances(first), instances(second));
    let mut found = Vec::new();
    let mut pairs = 0;
    for own in &second {
        let Some(id) = text(own, "virtual_router_id") else { continue };
        let same = first.iter().find(|other| text(other, "virtual_router_id").is_some_and(|one| one.text == id.text));
        if let Some(other) = same {
            pairs += 1;
            together(own, other, &mut found);
        }
    }
    if pairs == 0 && !first.is_empty() && !second.is_empty() {
        let place = Place { file: Arc::new(path.to_owned()), ..Place::default() };
        let place = text(&second[0], "virtual_router_id").map_or(place, |word| word.place.clone());
        let message = "no instance of the other file has this virtual_router_id: each is master for itself";
        found.push(Diagnostic::error("ha-pair", &place, message));
    }
    found
}

fn text<'n>(instance: &Instance<'n>, name: &str) -> Option<&'n Word> {
    value(&instance.node.block, name)
}

fn name<'n>(instance: &Instance<'n>) -> &'n Word {
    instance.node.value().unwrap_or(instance.node.name())
}

fn together(own: &Instance<'_>, other: &Instance<'_>, found: &mut Vec<Diagnostic>) {
    if own.version != other.version {
        let message = format!("VRRP {} here and {} at the other: neither hears the other", own.version, other.version);
        found.push(error("ha-pair-version", name(own), message));
    }
    let advert = |of: &Instance<'_>| number::<f64>(&of.node.block, "advert_int").unwrap_or(1.0);
    if advert(own) != advert(other) {
        let message = format!("advert_int is {} here and {} at the other", advert(own), advert(other));
        found.push(warning("ha-pair-advert", text(own, "advert_int").unwrap_or(name(own)), message));
    }
    if shared(own) != shared(other) {
        let message =
            format!("the shared addresses are {} here and {} there", shared(own).join(" "), shared(other).join(" "));
        let at = line(&own.node.block, "virtual_ipaddress").map_or(name(own), Node::name);
        found.push(error("ha-pair-address", at, message));
    }
    tell(own, other, found);
    weights(own, other, found);
    weights(other, own, found);
}

/// The shared addresses, each with the length that keepalived takes where none is written.
fn shared(of: &Instance<'_>) -> Vec<String> {
    let lines = line(&of.node.block, "virtual_ipaddress").map(|node| node.block.as_slice()).unwrap_or_default();
    let whole = |text: &str| match text.parse() {
        Ok(IpAddr::V4(address)) => format!("{address}/32"),
        Ok(IpAddr::V6(address)) => format!("{address}/128"),
        Err(_) => text.to_owned(),
    };
    let mut all: Vec<String> = lines.iter().map(|line| whole(&line.name().text)).collect();
    all.sort();
    all
}

/// A balancer that is told nothing by the other one is master beside it.
fn tell(own: &Instance<'_>, other: &Instance<'_>, found: &mut Vec<Diagnostic>) {
    let peers = |of: &Instance<'_>| line(&of.node.block, "unicast_peer").is_some();
    match (peers(own), peers(other)) {
        (true, true) => {
            hears(own, other, found);
            hears(other, own, found);
        }
        (false, false) if own.group != other.group => {
            let message = format!("it tells {} and the other one {}", own.group, other.group);
            found.push(error("ha-pair-peer", text(own, "mcast_dst_ip").unwrap_or(name(own)), message));
        }
        (false, false) => {}
        (own_peers, _) => {
            let one = if own_peers { other } else { own };
            let message = "the other one tells by unicast, and this one by multicast: neither hears the other";
            found.push(error("ha-pair-peer", name(one), message));
        }
    }
}

/// Whether a balancer takes the other one's address for its peer's.
fn hears(own: &Instance<'_>, other: &Instance<'_>, found: &mut Vec<Diagnostic>) {
    let (Some(address), Some(peers)) = (text(own, "unicast_src_ip"), line(&other.node.block, "unicast_peer")) else {
        return;
    };
    if peers.block.iter().all(|peer| peer.name().text != address.text) {
        let message = format!("{}, the other balancer's unicast_src_ip, is no peer here", address.text);
        found.push(error("ha-pair-peer", peers.name(), message));
    }
}

/// A script that fails has to bring a balancer below the other one.
fn weights(own: &Instance<'_>, other: &Instance<'_>, found: &mut Vec<Diagnostic>) {
    let priority = |of: &Instance<'_>| number::<i32>(&of.node.block, "priority").unwrap_or(100);
    let above = priority(own) - priority(other);
    for (script, weight) in own.scripts.iter().filter(|(_, weight)| *weight < 0 && above >= -*weight) {
        let at = value(&script.block, "weight").or(script.value()).unwrap_or(script.name());
        let message = format!(
            "a weight of {weight} does not bring the priority {} below the other's {}: the address stays",
            priority(own),
            priority(other)
        );
        found.push(warning("ha-pair-weight", at, message));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn file(own: &str, other: &str, replaced: (&str, &str)) -> String {
        let text = format!(
            "global_defs {{\n vrrp_version 3\n}}\nvrrp_script s {{\n script s\n weight -20\n}}
vrrp_instance one {{\n interface e\n virtual_router_id 51\n priority 100\n advert_int 0.3
 unicast_src_ip {own}\n unicast_peer {{\n  {other}\n }}\n virtual_ipaddress {{\n  10.0.0.10/24\n }}
 track_script {{\n  s\n }}\n}}\n"
        );
        assert!(text.contains(replaced.0), "{replaced:?}");
        text.replacen(replaced.0, replaced.1, 1)
    }

    #[test]
    fn what_keeps_two_from_being_a_pair_is_found() {
        let table = [
            (("", ""), vec![]),
            (("router_id 51", "router_id 52"), vec!["b 10:20 ha-pair"]),
            (("version 3", "version 2"), vec!["b 8:15 ha-pair-version"]),
            (("advert_int 0.3", "advert_int 0.5"), vec!["b 12:13 ha-pair-advert"]),
            (("10.0.0.10/24", "10.0.0.11/24"), vec!["b 17:2 ha-pair-address"]),
            (("  10.0.0.2\n", "  10.0.0.9\n"), vec!["b 14:2 ha-pair-peer"]),
            (("src_ip 10.0.0.3", "src_ip 10.0.0.9"), vec!["a 14:2 ha-pair-peer"]),
            (("10.0.0.10/24", "10.0.0.10"), vec!["b 17:2 ha-pair-address"]),
            ((" unicast_peer {\n  10.0.0.2\n }\n", ""), vec!["b 8:15 ha-pair-peer"]),
            (("priority 100", "priority 120"), vec!["b 6:9 ha-pair-weight"]),
            (("priority 100", "priority 80"), vec!["a 6:9 ha-pair-weight"]),
            (("priority 100", "priority 119"), vec![]),
        ];
        for (replaced, expected) in table {
            let folder = tempfile::tempdir().unwrap();
            let read = |name: &str, text: String| {
                let path = folder.path().join(name);
                std::fs::write(&path, text).unwrap();
                super::super::tree::read(&path, &mut Vec::new(), &mut Vec::new())
            };
            let first = read("a", file("10.0.0.2", "10.0.0.3", ("", "")));
            let second = read("b", file("10.0.0.3", "10.0.0.2", replaced));
            let found = findings(&first, &second, Path::new("b"));
            let shown = found.iter().map(|found| {
                let file = found.place.file.file_name().unwrap().to_string_lossy();
                format!("{file} {}:{} {}", found.place.line, found.place.column, found.code)
            });
            assert_eq!(shown.collect::<Vec<_>>(), expected, "{replaced:?}");
        }
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written_and_so_is_a_group() {
        let unicast = |own: &str, other: &str| format!(" unicast_src_ip {own}\n unicast_peer {{\n  {other}\n }}\n");
        let found = |first: (&str, &str), second: (&str, &str)| {
            let folder = tempfile::tempdir().unwrap();
            let read = |name: &str, own: &str, other: &str, (address, told): (&str, &str)| {
                let text = file(own, other, (&unicast(own, other), told)).replace("10.0.0.10/24", address);
                let path = folder.path().join(name);
                std::fs::write(&path, text).unwrap();
                super::super::tree::read(&path, &mut Vec::new(), &mut Vec::new())
            };
            let (a, b) = (read("a", "10.0.0.2", "10.0.0.3", first), read("b", "10.0.0.3", "10.0.0.2", second));
            findings(&a, &b, Path::new("b")).iter().map(|found| found.code).collect::<Vec<_>>()
        };
        let table = [
            (("10.0.0.10", ""), ("10.0.0.10/32", ""), ""),
            (("fd00::a/128", ""), ("fd00:0::a", ""), ""),
            (("10.0.0.10", ""), ("10.0.0.10/24", ""), "ha-pair-address"),
            (("10.0.0.10", ""), ("10.0.0.10", " mcast_dst_ip 224.0.0.18\n"), ""),
            (("10.0.0.10", ""), ("10.0.0.10", " mcast_dst_ip 224.0.0.99\n"), "ha-pair-peer"),
            (("10.0.0.10", ""), ("10.0.0.10", " unicast_peer {\n  10.0.0.2\n }\n"), "ha-pair-peer"),
        ];
        for (first, second, expected) in table {
            let expected: Vec<&str> = [expected].into_iter().filter(|code| !code.is_empty()).collect();
            assert_eq!(found(first, second), expected, "{first:?} {second:?}");
        }
    }
}
