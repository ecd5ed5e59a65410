//! `bedloe ha keepalived`: the configuration of one of two balancers that share an address.
//!
//! Both have one priority: the address stays where it is until that host fails, and does not come back by itself. A
//! balancer that does not answer gives the address up (a script without weight); one that sees no server weighs less
//! than one that does.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use super::alive::socket;

/// The priority of both, in the middle of what is left when a script takes its weight away.
const PRIORITY: u8 = 100;
/// What a balancer without servers has less than one that has some.
const WEIGHT: i16 = -50;
/// Longer names of interfaces do not exist (IFNAMSIZ).
const INTERFACE_MAX: usize = 15;

/// Write keepalived's configuration for one of two balancers that share an address.
///
/// VRRP 3 to the other one's address (no multicast), an advertisement each 0.3 s: the address moves 1.1 s after a host
/// is gone. The balancer is asked each second by `bedloe ha alive`.
#[derive(Debug, Args)]
pub(super) struct KeepalivedArgs {
    /// The shared address with its prefix length; may be repeated
    #[arg(long, value_name = "ADDRESS/LENGTH", required = true, value_parser = shared)]
    address: Vec<(IpAddr, u8)>,
    /// The interface that it is on
    #[arg(long, value_name = "NAME", value_parser = interface)]
    interface: String,
    /// This balancer's own address
    #[arg(long = "self", value_name = "ADDRESS")]
    own: IpAddr,
    /// The other balancer's
    #[arg(long, value_name = "ADDRESS")]
    peer: IpAddr,
    /// The number of the pair, which no other pair of the network has
    #[arg(long, value_name = "1-255", default_value_t = 51, value_parser = clap::value_parser!(u8).range(1..))]
    router_id: u8,
    /// The priority; the same at both lets the address stay where it is
    #[arg(long, value_name = "1-254", default_value_t = PRIORITY)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=254))]
    priority: u8,
    /// The balancer's admin socket
    #[arg(long, value_name = "unix:PATH", default_value = "unix:/run/bedloe/admin.sock", value_parser = socket)]
    admin: PathBuf,
    /// Ask the balancer for this page too: http://127.0.0.1:PORT/PATH
    #[arg(long, value_name = "URL", value_parser = word)]
    url: Option<String>,
    /// The program that keepalived runs [default: this one]
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Where the configuration goes [default: the standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &KeepalivedArgs) -> anyhow::Result<ExitCode> {
    args.check()?;
    let program =
        args.program.clone().map_or_else(std::env::current_exe, Ok).context("cannot find the program itself")?;
    let text = configuration(args, &program)?;
    match &args.output {
        Some(path) => std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?,
        None => io::stdout().lock().write_all(text.as_bytes()).context("cannot write to the standard output")?,
    }
    Ok(ExitCode::SUCCESS)
}

impl KeepalivedArgs {
    fn check(&self) -> anyhow::Result<()> {
        let Self { own, peer, address, .. } = self;
        if own == peer {
            bail!("--self and --peer are both {own}: they are two hosts");
        }
        if own.is_ipv4() != peer.is_ipv4() {
            bail!("--self {own} and --peer {peer} are of two families");
        }
        for (shared, _) in address {
            if [own, peer].contains(&shared) {
                bail!("{shared} is a balancer's own: the shared address is one more");
            }
            if shared.is_ipv4() != own.is_ipv4() {
                bail!("{shared} and --self {own} are of two families: VRRP carries one");
            }
        }
        let is_twice = |index: usize| address[..index].iter().any(|(other, _)| *other == address[index].0);
        match (0..address.len()).find(|index| is_twice(*index)) {
            Some(index) => bail!("--address {} is there twice", address[index].0),
            None => Ok(()),
        }
    }
}

fn configuration(args: &KeepalivedArgs, program: &Path) -> anyhow::Result<String> {
    let KeepalivedArgs { interface, own, peer, router_id, priority, .. } = args;
    let quoted = |path: &Path| match path.to_str() {
        Some(text) if word(text).is_ok() => Ok(text.to_owned()),
        _ => bail!("keepalived cannot run {path:?}: a path without spaces and quotes is needed"),
    };
    let (program, admin) = (quoted(program)?, quoted(&args.admin)?);
    let url = args.url.as_ref().map(|url| format!(" --url {url}")).unwrap_or_default();
    let mut text = format!(
        "# The balancer {own}, which shares its address with {peer}; written by `bedloe ha keepalived`.
# To be run beside any other keepalived of the host:
#   keepalived --vrrp --dont-fork --use-file FILE --pid=/run/bedloe/keepalived.pid --vrrp_pid=/run/bedloe/vrrp.pid
global_defs {{
    router_id bedloe_{own}
    vrrp_version 3
    enable_script_security
    script_user root
    vrrp_garp_master_delay 1
    vrrp_garp_master_refresh 60
}}

# The balancer does not answer: the address goes to the other one.
vrrp_script bedloe_alive {{
    script \"{program} ha alive --admin unix:{admin}{url}\"
    interval 1
    timeout 2
    fall 2
    rise 3
}}

# It has an upstream without servers: the other one takes over if it has some.
vrrp_script bedloe_servers {{
    script \"{program} ha alive --admin unix:{admin} --servers\"
    interval 1
    timeout 2
    fall 3
    rise 3
    weight {WEIGHT}
}}

vrrp_instance bedloe {{
    state BACKUP
    interface {interface}
    virtual_router_id {router_id}
    priority {priority}
    advert_int 0.3
    unicast_src_ip {own}
    unicast_peer {{
        {peer}
    }}
    virtual_ipaddress {{
"
    );
    for (address, length) in &args.address {
        let _ = writeln!(text, "        {address}/{length} dev {interface}");
    }
    text += "    }\n    track_script {\n        bedloe_alive\n        bedloe_servers\n    }\n}\n";
    Ok(text)
}

fn shared(text: &str) -> Result<(IpAddr, u8), String> {
    let wanted = || "want an address with its prefix length, such as 10.0.0.10/24".to_owned();
    let (address, length) = text.split_once('/').ok_or_else(wanted)?;
    let address: IpAddr = address.parse().map_err(|_| wanted())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.parse().ok().filter(|length| (1..=most).contains(length));
    length.map(|length| (address, length)).ok_or_else(wanted)
}

fn interface(text: &str) -> Result<String, String> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@:".contains(&byte);
    let is_name = (1..=INTERFACE_MAX).contains(&text.len()) && text.bytes().all(is_fit);
    if is_name { Ok(text.to_owned()) } else { Err("want the name of an interface, such as eth0".to_owned()) }
}

/// What stands in a script's line as one word.
fn word(text: &str) -> Result<String, String> {
    let is_fit = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\{}$#!`;|&<>*?~()".contains(&byte);
    let is_word = !text.is_empty() && text.bytes().all(is_fit);
    if is_word {
        Ok(text.to_owned())
    } else {
        Err("it has letters that keepalived or a shell reads otherwise".to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: KeepalivedArgs,
    }

    fn written(line: &str) -> Result<String, String> {
        let words = ["x", "--program", "/usr/bin/bedloe"].into_iter().chain(line.split_whitespace());
        let Line { args } = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        args.check().and_then(|()| configuration(&args, args.program.as_deref().unwrap())).map_err(|e| e.to_string())
    }

    #[test]
    fn a_pair_is_written_and_finds_nothing_wrong_with_itself() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, line: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, written(line).unwrap()).unwrap();
            let mut found = Vec::new();
            let nodes = super::super::tree::read(&path, &mut Vec::new(), &mut found);
            found.extend(super::super::lint::findings(&nodes));
            found.retain(|found| found.code != "ha-script-file");
            assert!(found.is_empty(), "{found:?}");
            nodes
        };
        let pair = "--interface eth0 --address 10.0.0.10/24 --address 10.0.0.9/32";
        let first = read("a", &format!("{pair} --self 10.0.0.2 --peer 10.0.0.3"));
        let second = read("b", &format!("{pair} --self 10.0.0.3 --peer 10.0.0.2"));
        assert_eq!(super::super::pair::findings(&first, &second, Path::new("b")), []);
        let six =
            "--interface eth0 --address fd00::10/64 --self fd00::2 --peer fd00::3 --url http://[::1]/x --priority 7";
        let text = written(six).unwrap();
        for part in
            ["fd00::10/64 dev eth0\n", "priority 7\n", "admin.sock --url http://[::1]/x\"\n", "script_user root"]
        {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }

    #[test]
    fn what_makes_no_pair_is_refused() {
        let table = [
            ("--interface e --address 10.0.0.10/24 --self 10.0.0.2 --peer 10.0.0.2", "they are two hosts"),
            ("--interface e --address 10.0.0.2/24 --self 10.0.0.2 --peer 10.0.0.3", "the shared address is one more"),
            ("--interface e --address 10.0.0.9/24 --self 10.0.0.2 --peer ::3", "two families"),
            ("--interface e --address fd00::1/64 --self 10.0.0.2 --peer 10.0.0.3", "VRRP carries one"),
            ("--interface e --address 1.1.1.1/8 --address 1.1.1.1/9 --self 10.0.0.2 --peer 10.0.0.3", "there twice"),
            ("--interface e --address 10.0.0.9 --self 10.0.0.2 --peer 10.0.0.3", "with its prefix length"),
            ("--interface e --address 10.0.0.9/33 --self 10.0.0.2 --peer 10.0.0.3", "with its prefix length"),
            ("--interface e} --address 10.0.0.9/24 --self 10.0.0.2 --peer 10.0.0.3", "the name of an interface"),
            ("--interface e --address 10.0.0.9/24 --self 10.0.0.2 --peer 10.0.0.3 --priority 255", "254"),
            ("--interface e --address 10.0.0.9/24 --self 10.0.0.2 --peer 10.0.0.3 --url a\"b", "reads otherwise"),
        ];
        for (line, part) in table {
            let said = written(line).unwrap_err();
            assert!(said.contains(part), "{line}: {said}");
        }
    }
}
