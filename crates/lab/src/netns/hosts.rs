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
    fn run(&self, command: &[&str], input: Option<&str>) -> Result<(), HostsError> {
        let failed = |said: String| {
            let (host, command) = (self.name.clone(), command.join(" "));
            HostsError::Command { host, command, said }
        };
        let mut child = Command::new(&self.program)
            .args(["tied", "--die-with-parent", &std::process::id().to_string(), "--network", &self.network(), "--"])
            .args(command)
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
        Ok(Self { switch, hosts })
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
            // A table that is not there cannot be taken away.
            host.run(&["nft", "-f", "-"], Some(&format!("table inet {TABLE}\ndelete table inet {TABLE}\n")))?;
        }
        self.switch.run(&["ip", "link", "set", name, "up"], None)
    }

    /// Loses a share of a host's packets, of 100, both ways.
    pub(super) fn lose(&self, name: &str, share: u8) -> Result<(), HostsError> {
        let Some(host) = self.host(name) else { return Ok(()) };
        // The kernel compares with what a number below 100 can be.
        let chance = if share < 100 { format!("numgen random mod 100 < {share} ") } else { String::new() };
        let chain = |hook: &str, device: &str| {
            format!("chain {hook} {{\n type filter hook {hook} priority 0;\n {device} {LINK} {chance}drop\n}}\n")
        };
        let chains = chain("input", "iifname") + &chain("output", "oifname");
        let text = format!("table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n{chains}}}\n");
        host.run(&["nft", "-f", "-"], Some(&text))
    }
}
