//! What is said and not set: how packets spread over the cores, the clock of the cores, swap and the quota of a JVM.
//! What is right there depends on the machine, or is set where this program has no business.

use std::collections::BTreeMap;

use super::limits::{self, Limits};
use super::root::Root;
use super::{Ask, Facts, Role, cgroups};

/// Who set it to 0 did so on purpose: it is not set back.
const TIMESTAMPS: &str = "net.ipv4.tcp_timestamps";

/// A network card's queues.
#[derive(Debug, PartialEq, Eq)]
struct Card {
    name: String,
    queues: u64,
    /// Whether packets are handed on to other cores by the kernel (RPS).
    is_spread: bool,
}

/// What was read of it.
#[derive(Debug, Default)]
pub(super) struct Machine {
    cards: Vec<Card>,
    governor: Option<String>,
    /// Cores in thousandths that a quota leaves, by who has it.
    quotas: BTreeMap<String, u64>,
    has_swap: bool,
    /// Whether segments of TCP carry no time.
    lacks_timestamps: bool,
    /// What this process, and so the shell that started it, may have open; none for a tree.
    here: Option<Limits>,
}

/// A line of advice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Advice {
    pub(super) setting: String,
    pub(super) now: String,
    pub(super) wanted: String,
    pub(super) why: String,
    pub(super) is_ok: bool,
}

impl Machine {
    pub(super) fn read(root: &Root, role: Role, is_tree: bool) -> Self {
        let is_jvm = role == Role::Liberty;
        Self {
            cards: cards(root),
            governor: root
                .text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
                .map(|text| text.trim().to_owned()),
            quotas: if is_jvm { quotas(root, is_tree) } else { BTreeMap::new() },
            has_swap: root.text("proc/swaps").is_some_and(|text| text.lines().nth(1).is_some()),
            lacks_timestamps: root.text("proc/sys/net/ipv4/tcp_timestamps").is_some_and(|text| text.trim() == "0"),
            here: if is_tree { None } else { limits::process(root, std::process::id()).map(|own| own.limits) },
        }
    }
}

/// All lines for a role.
pub(super) fn advice(facts: &Facts, ask: &Ask, files: u64) -> Vec<Advice> {
    let mut lines = Vec::new();
    lines.extend(facts.machine.here.map(|here| Advice {
        setting: "open files of this shell".to_owned(),
        now: here.written("unlimited"),
        wanted: files.to_string(),
        why: format!("what is started from here inherits it: `ulimit -n {files}`, or log in again once it is applied"),
        is_ok: here.soft >= files,
    }));
    let at_start = facts.at_boot.get(TIMESTAMPS).map(|boot| boot.value == "0");
    if ask.role != Role::Liberty && (facts.machine.lacks_timestamps || at_start == Some(true)) {
        lines.push(Advice {
            setting: TIMESTAMPS.to_owned(),
            now: "0".to_owned(),
            wanted: "1".to_owned(),
            why: "tcp_tw_reuse tells segments of old connections by the time in them: without that it does nothing"
                .to_owned(),
            is_ok: false,
        });
    }
    if ask.role == Role::Liberty {
        lines.extend(facts.machine.quotas.iter().map(|(who, thousandths)| quota(who, *thousandths, facts.cores)));
        lines.push(Advice {
            setting: "swap".to_owned(),
            now: if facts.machine.has_swap { "on" } else { "off" }.to_owned(),
            wanted: "off".to_owned(),
            why: "a collection touches the whole heap: a part of it in swap is a pause of seconds".to_owned(),
            is_ok: !facts.machine.has_swap,
        });
    }
    lines.extend(facts.machine.cards.iter().filter_map(|card| spread(card, facts.cores?)));
    lines.extend(facts.machine.governor.as_deref().map(|governor| Advice {
        setting: "cpufreq governor".to_owned(),
        now: governor.to_owned(),
        wanted: "performance".to_owned(),
        why: "with others cores clock down between requests and the longest answers get longer".to_owned(),
        is_ok: governor == "performance",
    }));
    lines
}

fn quota(who: &str, thousandths: u64, cores: Option<u64>) -> Advice {
    let of = cores.map(|cores| format!(" of {cores}")).unwrap_or_default();
    let shown = format!("{}.{:02}", thousandths / 1000, thousandths % 1000 / 10);
    Advice {
        setting: format!("cpu quota of {who}"),
        now: format!("{shown} cores"),
        wanted: "none".to_owned(),
        why: format!(
            "the JVM sizes its pools and its collector by {shown} cores{of}, and stands still once they are used"
        ),
        is_ok: cores.is_some_and(|cores| thousandths >= cores * 1000),
    }
}

fn spread(card: &Card, cores: u64) -> Option<Advice> {
    (cores > 1).then(|| Advice {
        setting: format!("receive queues of {}", card.name),
        now: format!("{}{}", card.queues, if card.is_spread { " with RPS" } else { "" }),
        wanted: format!("{cores}, or RPS"),
        why: format!(
            "{} of {cores} cores take its packets in: more queues (ethtool -L), their interrupts spread, or rps_cpus",
            card.queues.min(cores)
        ),
        is_ok: card.is_spread || card.queues >= cores,
    })
}

/// Cards that are devices; bridges and tunnels have no interrupts.
fn cards(root: &Root) -> Vec<Card> {
    let folder = "sys/class/net";
    let real = root.list(folder).into_iter().filter(|name| root.has(&format!("{folder}/{name}/device")));
    real.map(|name| {
        let queues = root.list(&format!("{folder}/{name}/queues"));
        let queues: Vec<String> = queues.into_iter().filter(|queue| queue.starts_with("rx-")).collect();
        let mask = |queue: &String| root.text(&format!("{folder}/{name}/queues/{queue}/rps_cpus")).unwrap_or_default();
        let is_spread = queues.iter().any(|queue| mask(queue).contains(|c: char| ('1'..='f').contains(&c)));
        Card { queues: queues.len() as u64, is_spread, name }
    })
    .filter(|card| card.queues > 0)
    .collect()
}

/// Quotas of the group that all is in, where there is one, and of each Java process.
fn quotas(root: &Root, is_tree: bool) -> BTreeMap<String, u64> {
    let mut quotas = BTreeMap::new();
    quotas.extend(cgroups::quota(root).map(|cores| ("this container".to_owned(), cores)));
    let running = if is_tree { Vec::new() } else { limits::processes(root, &["java"]) };
    for process in running {
        let groups = root.text(&format!("proc/{}/cgroup", process.pid)).unwrap_or_default();
        let cores = cgroups::quota_of(root, &groups);
        quotas.extend(cores.map(|cores| (format!("java (process {})", process.pid), cores)));
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_compared_with_the_cores() {
        assert!(!quota("x", 1500, Some(2)).is_ok && quota("x", 2000, Some(2)).is_ok);
        assert_eq!(quota("x", 1500, Some(8)).now, "1.50 cores");
    }

    #[test]
    fn a_card_takes_packets_in_on_as_many_cores_as_it_has_queues() {
        let card = |queues, is_spread| Card { name: "eth0".into(), queues, is_spread };
        let is_ok = |card: &Card, cores| spread(card, cores).map(|advice| advice.is_ok);
        assert_eq!(is_ok(&card(1, false), 1), None);
        assert_eq!(is_ok(&card(1, false), 4), Some(false));
        assert_eq!(is_ok(&card(1, true), 4), Some(true));
        assert_eq!(is_ok(&card(4, false), 4), Some(true));
    }
}
