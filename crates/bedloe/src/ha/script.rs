//! What is wrong in the scripts by which keepalived asks a balancer: blocks `vrrp_script`.

use std::path::Path;

use conf::Diagnostic;

use super::tree::{Node, Word, line, number, value};
use super::{error, in_range, warning};

/// The longest time until a balancer that does not answer gives its address up, that nobody is warned of: a check has
/// to fail several times.
const NOTICED_MAX_S: u64 = 6;
/// The longest time until one that is back counts, that nobody is warned of.
const BACK_MAX_S: u64 = 60;
/// The most that keepalived takes: an `int`.
const COUNT_MAX: i64 = 0x7fff_ffff;
/// What a script can add to a priority, or take from it.
const WEIGHT_MAX: i64 = 253;

fn all(nodes: &[Node]) -> impl Iterator<Item = &Node> {
    nodes.iter().filter(|node| node.is("vrrp_script"))
}

/// The script of a name.
pub(super) fn named<'n>(nodes: &'n [Node], name: &str) -> Option<&'n Node> {
    all(nodes).find(|script| script.value().is_some_and(|word| word.text == name))
}

/// What is wrong in the scripts by themselves.
pub(super) fn findings(nodes: &[Node], global: &[Node], found: &mut Vec<Diagnostic>) {
    let tracked: Vec<&str> = nodes
        .iter()
        .flat_map(|node| &node.block)
        .filter(|node| node.is("track_script"))
        .flat_map(|node| node.block.iter().map(|line| line.name().text.as_str()))
        .collect();
    for script in all(nodes) {
        let Some(name) = script.value() else {
            found.push(error("ha-syntax", script.name(), "a script needs a name"));
            continue;
        };
        if !tracked.contains(&name.text.as_str()) {
            found.push(warning("ha-script-unused", name, "no instance goes by this script: it is never run"));
        }
        let Some(command) = value(&script.block, "script") else {
            found.push(error("ha-missing", name, "the block has no `script`"));
            continue;
        };
        let program = command.text.split_whitespace().next().unwrap_or_default();
        if program.starts_with('/') && !Path::new(program).is_file() {
            let message = format!("{program} is not on this host: keepalived leaves the script out where it is not");
            found.push(warning("ha-script-file", command, message));
        }
        let before = found.len();
        ranges(script, found);
        if found.len() == before {
            times(script, name, found);
        }
    }
    if let Some(script) = all(nodes).next()
        && line(global, "enable_script_security").is_none()
    {
        let message = "scripts are run as root, whoever may write them";
        let help = "add enable_script_security and script_user to global_defs";
        found.push(warning("ha-script-security", script.name(), message).help(help));
    }
}

/// Numbers that keepalived does not take.
fn ranges(script: &Node, found: &mut Vec<Diagnostic>) {
    for word in ["interval", "fall", "rise"] {
        in_range(&script.block, word, 1..=COUNT_MAX, found);
    }
    in_range(&script.block, "weight", -WEIGHT_MAX..=WEIGHT_MAX, found);
}

fn times(script: &Node, name: &Word, found: &mut Vec<Diagnostic>) {
    let of = |word, usual| number(&script.block, word).unwrap_or(usual);
    let (interval, fall, rise): (u64, u64, u64) = (of("interval", 1), of("fall", 1), of("rise", 1));
    let timeout = of("timeout", interval);
    let back = interval.saturating_mul(rise);
    if fall < 2 || rise < 2 {
        let message = "a single result decides, so that one slow answer moves the address";
        found.push(warning("ha-script-flaps", name, message).help("write fall 2 and rise 3"));
    }
    let noticed = interval.saturating_mul(fall.saturating_sub(1)).saturating_add(timeout);
    if noticed > NOTICED_MAX_S {
        let message =
            format!("a balancer that hangs is noticed after up to {noticed} s (interval x fall, and timeout)");
        found.push(warning("ha-script-slow", name, message).help("write interval 1, timeout 2 and fall 2"));
    }
    if back > BACK_MAX_S {
        let message = format!("a balancer that is back counts again after {back} s (interval x rise)");
        found.push(warning("ha-script-slow", name, message).help("write interval 1 and rise 3"));
    }
}
