//! `geo [$ADDRESS] $NAME { ... }`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cx::Cx;
use super::map::variable_name;
use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;
use crate::template::{Part, Template};
use crate::tree::{Addresses, Lookup, Map, Network};

/// Builds it; none if its head is wrong.
pub(super) fn build(node: &Node, cx: &mut Cx<'_>) -> Option<Map> {
    let (address, name) = match node.args.as_slice() {
        [name] => (None, name),
        [address, name] => (Some(address), name),
        _ => return None,
    };
    let source = match address {
        None => Some(Template { parts: vec![Part::Variable("remote_addr".to_owned())] }),
        Some(word) => source(word, cx).map_err(|wrong| cx.report(wrong)).ok(),
    };
    let name = variable_name(name, "geo").map_err(|wrong| cx.report(wrong)).ok();
    let mut addresses = Draft::default();
    for (index, entry) in node.block.iter().flatten().enumerate() {
        if let Err(wrong) = add(&mut addresses, entry, index == 0, cx) {
            cx.report(wrong);
        }
    }
    let lookup = Lookup::Addresses(Addresses {
        default: addresses.default,
        networks: addresses.networks.into_iter().collect(),
        ranges: addresses.ranges,
        proxies: addresses.proxies,
        is_recursive: addresses.is_recursive,
    });
    Some(Map { name: name?, source: source?, is_volatile: false, lookup })
}

/// [`Addresses`] while its lines are read: there may be a hundred thousand.
#[derive(Default)]
struct Draft {
    default: String,
    networks: BTreeMap<Network, String>,
    ranges: Option<Vec<(Ipv4Addr, Ipv4Addr, String)>>,
    proxies: Vec<Network>,
    is_recursive: bool,
}

/// As in nginx, one variable and nothing beside it.
fn source(word: &Word, cx: &mut Cx<'_>) -> Result<Template, Diagnostic> {
    let template = cx.template(word)?;
    if matches!(template.parts.as_slice(), [Part::Variable(_)]) {
        return Ok(template);
    }
    let message = format!("the address of \"geo\" is a variable, not \"{}\"", word.shown());
    Err(Diagnostic::error("invalid-value", &word.place, message).help("write it as $name"))
}

fn add(addresses: &mut Draft, entry: &Node, is_first: bool, cx: &mut Cx<'_>) -> Result<(), Diagnostic> {
    let key = &entry.name;
    if entry.block.is_some() {
        return Err(Diagnostic::error("block-unexpected", &key.place, "an entry of a geo takes no block"));
    }
    match (key.text.as_str(), entry.args.as_slice()) {
        ("ranges", []) if is_first => addresses.ranges = Some(Vec::new()),
        ("ranges", []) => {
            let message = "\"ranges\" must stand before all else in its \"geo\"";
            return Err(Diagnostic::error("misplaced-directive", &key.place, message));
        }
        ("proxy_recursive", []) => addresses.is_recursive = true,
        ("proxy", [word]) => addresses.proxies.push(network(word, cx)?),
        ("delete", [word]) => delete(addresses, word, cx)?,
        ("default", [value]) if addresses.ranges.is_some() => addresses.default.clone_from(&value.text),
        ("default", [value]) => {
            for any in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
                put(addresses, Network::of(any, 0), (key, value), cx);
            }
        }
        (_, [value]) if addresses.ranges.is_some() => add_range(addresses, key, value, cx)?,
        (_, [value]) => {
            let network = network(key, cx)?;
            put(addresses, network, (key, value), cx);
        }
        (_, args) => {
            let message = format!("an entry of a geo has an address and one value, not {}", args.len());
            return Err(Diagnostic::error("wrong-arguments", &key.place, message));
        }
    }
    Ok(())
}

/// As in nginx, of one network the last value holds.
fn put(addresses: &mut Draft, network: Network, (key, value): (&Word, &Word), cx: &mut Cx<'_>) {
    if let Some(old) = addresses.networks.insert(network, value.text.clone()) {
        tell_duplicate(key, &old, cx);
    }
}

fn tell_duplicate(key: &Word, old: &str, cx: &mut Cx<'_>) {
    let message = format!("\"{}\" is there already, with the value \"{}\": this one holds", key.shown(), one_line(old));
    cx.report(Diagnostic::warning("duplicate-network", &key.place, message));
}

fn one_line(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_default).collect()
}

fn delete(addresses: &mut Draft, word: &Word, cx: &mut Cx<'_>) -> Result<(), Diagnostic> {
    let found = match &mut addresses.ranges {
        Some(ranges) => {
            let (first, last) = range(word)?;
            let before = ranges.len();
            ranges.retain(|known| (known.0, known.1) != (first, last));
            ranges.len() < before
        }
        None => {
            let network = network(word, cx)?;
            addresses.networks.remove(&network).is_some()
        }
    };
    if !found {
        let message = format!("there is no \"{}\" to delete", word.shown());
        cx.report(Diagnostic::warning("nothing-to-delete", &word.place, message));
    }
    Ok(())
}

/// `ADDRESS[/BITS]`.
fn network(word: &Word, cx: &mut Cx<'_>) -> Result<Network, Diagnostic> {
    let (address, bits) = word.text.split_once('/').map_or((word.text.as_str(), None), |(a, b)| (a, Some(b)));
    let invalid = || {
        let message = format!("invalid network \"{}\"", word.shown());
        Diagnostic::error("invalid-value", &word.place, message).help("write ADDRESS or ADDRESS/BITS")
    };
    let address: IpAddr = address.parse().map_err(|_| invalid())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match bits {
        None => most,
        Some(bits) if !bits.bytes().all(|byte| byte.is_ascii_digit()) => return Err(invalid()),
        Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(invalid)?,
    };
    let network = Network::of(address, prefix);
    if network.first != address {
        let message = format!("the last bits of \"{}\" mean nothing: it is {}/{prefix}", word.shown(), network.first);
        cx.report(Diagnostic::warning("meaningless-bits", &word.place, message));
    }
    Ok(network)
}

/// `FIRST-LAST`.
fn range(word: &Word) -> Result<(Ipv4Addr, Ipv4Addr), Diagnostic> {
    let ends = word.text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    // As in nginx, the very last address ends none.
    ends.filter(|ends: &(Ipv4Addr, Ipv4Addr)| ends.0 <= ends.1 && ends.1 != Ipv4Addr::BROADCAST).ok_or_else(|| {
        let message = format!("invalid range \"{}\"", word.shown());
        Diagnostic::error("invalid-value", &word.place, message).help("write FIRST-LAST, both addresses of IPv4")
    })
}

/// Puts a range among the others: one within another takes its place there, two that overlap are an error.
fn add_range(addresses: &mut Draft, key: &Word, value: &Word, cx: &mut Cx<'_>) -> Result<(), Diagnostic> {
    let (first, last) = range(key)?;
    let Some(ranges) = &mut addresses.ranges else { return Ok(()) };
    let at = ranges.partition_point(|known| known.1 < first);
    let new = (first, last, value.text.clone());
    let Some(known) = ranges.get(at).filter(|known| known.0 <= last) else {
        ranges.insert(at, new);
        return Ok(());
    };
    if known.0 > first || known.1 < last {
        let message = format!("the range \"{}\" overlaps {}-{}", key.shown(), known.0, known.1);
        return Err(Diagnostic::error("overlapping-range", &key.place, message));
    }
    let known = known.clone();
    if (known.0, known.1) == (first, last) {
        tell_duplicate(key, &known.2, cx);
    }
    let next = |address: Ipv4Addr| Ipv4Addr::from_bits(address.to_bits().wrapping_add(1));
    let before_of = |address: Ipv4Addr| Ipv4Addr::from_bits(address.to_bits().wrapping_sub(1));
    let before = (known.0 < first).then(|| (known.0, before_of(first), known.2.clone()));
    let after = (known.1 > last).then(|| (next(last), known.1, known.2));
    ranges.splice(at..=at, before.into_iter().chain([new]).chain(after));
    Ok(())
}
