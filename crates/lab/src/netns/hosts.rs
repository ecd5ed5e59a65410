//! Hosts as network namespaces: each is held by a process of its own, has one link to a switch, which is one more of
//! them, and can be cut off or lose packets.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What the holder of a namespace says once it has it.
pub const READY: &str = "ready";
/// The bridge on the switch.
const BRIDGE: &str = "bridge";
/// The link of a host, as the host sees it.
pub(super) const LINK: &str = "eth0";
/// The table of nftables that loses packets.
const TABLE: &str = "bedloe_lab";

/// Why hosts could not be made or changed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum HostsError {
    #[error("cannot start the holder of a network namespace")]
    Start(#[source] io::Error),
    #[error("this machine makes no network namespace: {0}")]
    Refused(String),
    #[error("cannot enter a network namespace")]
    Enter(#[source] io::Error),
    #[error("`{command}` on {host} failed: {said}")]
    Command { host: String, command: String, said: String },
}

/// What loses packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// The kernel's emulator of networks.
    Netem,
    /// Rules, where the kernel has no such emulator.
    Nftables,
}

/// A host.
pub(super) struct Host {
    pub(super) name: String,
    holder: Child,
    program: PathBuf,
}

/// All of them, on one switch.
pub(super) struct Hosts {
    switch: Host,
    hosts: Vec<Host>,
    loss: Loss,
}

impl Host {
    fn new(program: &Path, name: &str) -> Result<Self, HostsError> {
        let mut holder = Command::new(program)
            .args(["hold-network", "--die-with-parent", &std::process::id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(HostsError::Start)?;
        let mut line = String::new();
        if let Some(out) = holder.stdout.take() {
            let _ = BufReader::new(out).read_line(&mut line);
        }
        if line.trim() != READY {
            let mut said = String::new();
            if let Some(mut errors) = holder.stderr.take() {
                let _ = errors.read_to_string(&mut said);
            }
            let _ = holder.wait();
            return Err(HostsError::Refused(said.trim().to_owned()));
        }
        Ok(Self { name: name.to_owned(), holder, program: program.to_owned() })
    }

    /// The namespace, as a file.
    pub(super) fn network(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// Runs a command there.
    fn run<S: AsRef<str>>(&self, command: &[S], input: Option<&str>) -> Result<(), HostsError> {
        let command: Vec<&str> = command.iter().map(AsRef::as_ref).collect();
        let failed = |said: String| {
            let (host, command) = (self.name.clone(), command.join(" "));
            HostsError::Command { host, command, said }
        };
        let mut child = Command::new(&self.program)
            .args(["tied", "--die-with-parent", &std::process::id().to_string(), "--network", &self.network(), "--"])
            .args(&command)
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
            // What it does not read it says itself.
            let _ = io::Write::write_all(&mut stdin, text.as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(()) } else { Err(failed(said)) }
    }

    /// Whether an address is one of the host's own, by the kernel's table of its network.
    fn has(&self, address: Ipv4Addr) -> bool {
        let table = std::fs::read_to_string(format!("/proc/{}/net/fib_trie", self.holder.id())).unwrap_or_default();
        let wanted = format!("|-- {address}");
        let mut lines = table.lines().skip_while(|line| !line.trim_end().ends_with(&wanted));
        lines.nth(1).is_some_and(|line| line.contains("host LOCAL"))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

impl Hosts {
    /// Makes them, each connected to the switch by a link of its own.
    pub(super) fn new(program: &Path, wanted: &[(String, Ipv4Addr)]) -> Result<Self, HostsError> {
        let switch = Host::new(program, "switch")?;
        switch.run(&["ip", "link", "add", BRIDGE, "type", "bridge"], None)?;
        switch.run(&["ip", "link", "set", BRIDGE, "up"], None)?;
        let mut hosts = Vec::new();
        for (name, address) in wanted {
            let host = Host::new(program, name)?;
            let id = host.holder.id();
            let lines = format!(
                "link add {name} type veth peer name {LINK} netns {id}\n\
                 link set {name} master {BRIDGE}\nlink set {name} up\n"
            );
            switch.run(&["ip", "-batch", "-"], Some(&lines))?;
            let lines = format!("link set lo up\naddress add {address}/24 dev {LINK}\nlink set {LINK} up\n");
            host.run(&["ip", "-batch", "-"], Some(&lines))?;
            hosts.push(host);
        }
        let loss = if switch.run(&netem("lo", 0), None).is_ok() { Loss::Netem } else { Loss::Nftables };
        Ok(Self { switch, hosts, loss })
    }

    pub(super) fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// The names of those among `names` that have an address.
    pub(super) fn having(&self, address: Ipv4Addr, names: &[&str]) -> Vec<String> {
        let hosts = self.hosts.iter().filter(|host| names.contains(&host.name.as_str()) && host.has(address));
        hosts.map(|host| host.name.clone()).collect()
    }

    /// Lets the calling thread, and all that it starts, be on a host.
    pub(super) fn enter(&self, name: &str) -> Result<(), HostsError> {
        let Some(host) = self.host(name) else { return Ok(()) };
        let file = File::open(host.network()).map_err(HostsError::Enter)?;
        let entered = move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network));
        entered.map_err(|error| HostsError::Enter(error.into()))
    }

    /// Pulls the cable of a host.
    pub(super) fn cut(&self, name: &str) -> Result<(), HostsError> {
        self.switch.run(&["ip", "link", "set", name, "down"], None)
    }

    /// Plugs it in, and loses no packet any more.
    pub(super) fn mend(&self, name: &str) -> Result<(), HostsError> {
        if let Some(host) = self.host(name) {
            self.keep(host)?;
        }
        self.switch.run(&["ip", "link", "set", name, "up"], None)
    }

    /// What loses packets here.
    pub(super) fn loss(&self) -> Loss {
        self.loss
    }

    /// Loses a share of a host's packets, of 100, both ways, ARP among them.
    pub(super) fn lose(&self, name: &str, share: u8) -> Result<(), HostsError> {
        let Some(host) = self.host(name) else { return Ok(()) };
        match self.loss {
            Loss::Nftables => host.run(&["nft", "-f", "-"], Some(&rules(share))),
            // A queue is behind what a host sends: the other way it is the switch's.
            Loss::Netem => {
                self.switch.run(&netem(name, share), None)?;
                host.run(&netem(LINK, share), None)
            }
        }
    }

    fn keep(&self, host: &Host) -> Result<(), HostsError> {
        match self.loss {
            Loss::Nftables => host.run(&["nft", "-f", "-"], Some(&no_rules())),
            Loss::Netem => {
                self.switch.run(&netem(&host.name, 0), None)?;
                host.run(&netem(LINK, 0), None)
            }
        }
    }
}

impl Loss {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Netem => "netem",
            Self::Nftables => "nftables",
        }
    }
}

fn netem(device: &str, share: u8) -> Vec<String> {
    let line = format!("tc qdisc replace dev {device} root netem loss {share}%");
    line.split(' ').map(str::to_owned).collect()
}

/// By the device, where nothing passes by: ARP has a family of its own, and what keepalived tells of the address goes
/// through no family.
fn rules(share: u8) -> String {
    // The kernel compares with what a number below 100 can be.
    let chance = if share < 100 { format!("numgen random mod 100 < {share} ") } else { String::new() };
    let chain = |hook: &str| {
        format!("chain {hook} {{\n type filter hook {hook} device \"{LINK}\" priority 0;\n {chance}drop\n}}\n")
    };
    format!("{}table netdev {TABLE} {{\n{}{}}}\n", no_rules(), chain("ingress"), chain("egress"))
}

/// A table that is not there cannot be taken away.
fn no_rules() -> String {
    format!("table netdev {TABLE}\ndelete table netdev {TABLE}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_lost_is_lost_to_arp_too() {
        let text = |chance: &str| {
            format!(
                "table netdev bedloe_lab\ndelete table netdev bedloe_lab\ntable netdev bedloe_lab {{\n\
                 chain ingress {{\n type filter hook ingress device \"eth0\" priority 0;\n {chance}drop\n}}\n\
                 chain egress {{\n type filter hook egress device \"eth0\" priority 0;\n {chance}drop\n}}\n}}\n"
            )
        };
        assert_eq!(rules(100), text(""));
        assert_eq!(rules(7), text("numgen random mod 100 < 7 "));
        assert_eq!(netem("liberty-1", 7).join(" "), "tc qdisc replace dev liberty-1 root netem loss 7%");
    }
}
