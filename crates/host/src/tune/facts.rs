//! What is read of a host before anything is judged: the kernel's settings now and at the next start, limits,
//! listeners, memory and cores. Nothing here says what is right.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::advice::Machine;
use super::boot::{self, BootValues};
use super::limits::{self, Process, Rights};
use super::logins::{self, Login};
use super::root::Root;
use super::units::{self, Service};
use super::{Ask, Role, cgroups, ports};

/// Transparent huge pages, which have a file of their own kind.
pub(super) const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// The settings of the kernel that some role wants.
pub(super) const SETTINGS: [&str; 14] = [
    "fs.file-max",
    "fs.nr_open",
    "net.core.somaxconn",
    "net.core.netdev_max_backlog",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_tw_reuse",
    "net.netfilter.nf_conntrack_buckets",
    "net.netfilter.nf_conntrack_max",
    "vm.max_map_count",
    "vm.swappiness",
    HUGE_PAGES,
];

/// Whether a setting can be changed from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// By root at least.
    Open,
    /// Not even by root: a container shows it and keeps it.
    Forbidden,
}

/// A setting of the kernel now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) access: Access,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Facts {
    /// Whether it is a tree that nothing runs in, so that only what its files say counts.
    pub(super) is_tree: bool,
    pub(super) has_systemd: bool,
    /// Whether systemd runs, and may be told of changed units.
    pub(super) runs_systemd: bool,
    pub(super) memory_bytes: Option<u64>,
    pub(super) cores: Option<u64>,
    pub(super) values: BTreeMap<String, Value>,
    pub(super) at_boot: BootValues,
    /// Whether conntrack is a module, so that its settings are not there before it is loaded.
    pub(super) loads_conntrack: bool,
    pub(super) listening: BTreeSet<u16>,
    pub(super) services: Vec<Service>,
    pub(super) logins: Vec<Login>,
    pub(super) processes: Vec<Process>,
    pub(super) rights: Rights,
    pub(super) machine: Machine,
}

impl Facts {
    /// Reads what matters to a role. What cannot be read is as if it were not there.
    pub fn read(root: &Root, ask: &Ask) -> Self {
        let is_tree = !root.is_host();
        let has_systemd = units::has_systemd(root);
        let has_logins = logins::has_limits(root);
        let known = Known::of(ask.role);
        Self {
            is_tree,
            has_systemd,
            runs_systemd: !is_tree && root.has("run/systemd/system"),
            memory_bytes: memory_bytes(root),
            cores: cores(root).or_else(|| (!is_tree).then(|| crate::cores() as u64)),
            values: SETTINGS.iter().filter_map(|name| Some(((*name).to_owned(), value(root, name)?))).collect(),
            at_boot: boot::read(root),
            loads_conntrack: root.has("sys/module/nf_conntrack/initstate"),
            listening: listening(root),
            services: if has_systemd { services(root, ask, &known) } else { Vec::new() },
            logins: if has_logins { logins::logins(root, &users(root, ask, &known)) } else { Vec::new() },
            processes: if is_tree { Vec::new() } else { limits::processes(root, known.processes) },
            rights: Rights::read(root),
            machine: Machine::read(root, ask.role, is_tree),
        }
    }

    /// What a setting of the kernel is: now, or in a tree at the start.
    pub(super) fn known(&self, name: &str) -> Option<&str> {
        let boot = self.at_boot.get(name).filter(|_| self.is_tree).map(|boot| boot.value.as_str());
        boot.or(self.values.get(name).map(|value| value.text.as_str()))
    }

    /// The most files that a process may be given where that is not ours to raise. A limit of a login above it would
    /// keep that user from logging in.
    pub(super) fn files_cap(&self) -> u64 {
        const NAME: &str = "fs.nr_open";
        let now = self.values.get(NAME).filter(|value| !self.is_tree && value.access == Access::Forbidden);
        let boot = self.at_boot.get(NAME).filter(|boot| boot.is_above_ours);
        let caps = [now.map(|value| &value.text), boot.map(|boot| &boot.value)];
        caps.into_iter().flatten().filter_map(|text| text.parse().ok()).min().unwrap_or(u64::MAX)
    }

    /// Memory in MiB, where it is known.
    pub fn memory_mib(&self) -> Option<u64> {
        self.memory_bytes.map(|bytes| bytes >> 20)
    }

    /// Cores, where they are known.
    pub fn cores(&self) -> Option<u64> {
        self.cores
    }
}

/// The names that a role's programs go by.
struct Known {
    processes: &'static [&'static str],
    services: &'static [&'static str],
    /// Users if the host has them.
    users: &'static [&'static str],
    /// Users in any case.
    all: &'static [&'static str],
}

impl Known {
    fn of(role: Role) -> Self {
        match role {
            Role::Balancer => Self {
                processes: &["bedloe", "nginx"],
                services: &["bedloe", "nginx"],
                users: &["bedloe", "nginx", "www-data"],
                all: &["root"],
            },
            Role::Liberty => Self {
                processes: &["java"],
                services: &["liberty", "open-liberty", "openliberty", "wlp", "websphere", "was"],
                users: &["liberty", "open-liberty", "openliberty", "wlp", "websphere", "was"],
                all: &[],
            },
            Role::Injector => Self { processes: &["bedloe", "k6"], services: &[], users: &[], all: &["*", "root"] },
        }
    }
}

/// Where a setting is in the file system.
pub(super) fn path(name: &str) -> String {
    match name.strip_prefix('/') {
        Some(path) => path.to_owned(),
        None => format!("proc/sys/{}", name.replace('.', "/")),
    }
}

/// A value as it is compared: of a choice of words the chosen one.
pub(super) fn chosen(text: &str) -> String {
    let inside = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    boot::normal(inside.map_or(text, |(word, _)| word))
}

fn value(root: &Root, name: &str) -> Option<Value> {
    let path = path(name);
    let text = chosen(&root.text(&path)?);
    let access = match root.try_write(&path) {
        Ok(()) => Access::Open,
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Access::Forbidden,
        // Root is refused by what is around it; another user may be told to become root.
        Err(_) if rustix::process::geteuid().is_root() => Access::Forbidden,
        Err(_) => Access::Open,
    };
    Some(Value { text, access })
}

fn memory_bytes(root: &Root) -> Option<u64> {
    let text = root.text("proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine = line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)?;
    Some(cgroups::memory(root).map_or(machine, |group| group.min(machine)))
}

fn cores(root: &Root) -> Option<u64> {
    let online = ports::list(root.text("sys/devices/system/cpu/online")?.trim()).len() as u64;
    (online > 0).then_some(online)
}

fn listening(root: &Root) -> BTreeSet<u16> {
    // The kernel writes listeners before connections, of which there may be any number.
    let text = |path: &str| root.beginning(path).unwrap_or_default();
    let (tcp, tcp6, udp, udp6) =
        (text("proc/net/tcp"), text("proc/net/tcp6"), text("proc/net/udp"), text("proc/net/udp6"));
    let tcp = ports::listening(&tcp).chain(ports::listening(&tcp6));
    tcp.chain(ports::serving(&udp)).chain(ports::serving(&udp6)).collect()
}

fn services(root: &Root, ask: &Ask, known: &Known) -> Vec<Service> {
    // `defaultServer.liberty`, `liberty@shop`, `wlp-shop`: names of Liberty's services are their owner's.
    let is_like = |name: &str| {
        ask.role == Role::Liberty && ["liberty", "wlp"].iter().any(|part| name.to_lowercase().contains(part))
    };
    let mut names: BTreeSet<String> = ask.services.iter().cloned().collect();
    names
        .extend(units::names(root).into_iter().filter(|name| known.services.contains(&name.as_str()) || is_like(name)));
    names.iter().map(|name| units::service(root, name)).collect()
}

fn users(root: &Root, ask: &Ask, known: &Known) -> Vec<String> {
    let passwords = root.text("etc/passwd").unwrap_or_default();
    let there: BTreeSet<&str> = passwords.lines().filter_map(|line| line.split(':').next()).collect();
    let found = known.users.iter().filter(|name| there.contains(*name)).chain(known.all).map(|name| (*name).to_owned());
    found.chain(ask.users.iter().cloned()).collect::<BTreeSet<_>>().into_iter().collect()
}
