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

use super::address::{Shared, host};
use super::alive::{self, socket};
use crate::writing;

/// The priority of both, in the middle of what is left when a script takes its weight away.
const PRIORITY: u8 = 100;
/// What a balancer without servers has less than one that has some.
const WEIGHT: i16 = -50;
/// Longer names of interfaces do not exist (IFNAMSIZ).
const INTERFACE_MAX: usize = 15;

/// Write keepalived's configuration for one of two balancers that share an address.
///
/// VRRP 3 to the other one's address, or by multicast, an advertisement each 0.3 s: the address moves 1.1 s after a
/// host is gone. The balancer is asked each second by `bedloe ha alive`. It has pid files of its own, so that another
/// keepalived may run on the host.
#[derive(Debug, Args)]
pub(super) struct KeepalivedArgs {
    /// The shared address with its prefix length; may be repeated
    #[arg(long, value_name = "ADDRESS/LENGTH", required = true, value_parser = Shared::parse)]
    address: Vec<Shared>,
    /// The interface that it is on
    #[arg(long, value_name = "NAME", value_parser = interface)]
    interface: String,
    /// This balancer's own address
    #[arg(long = "self", value_name = "ADDRESS", value_parser = host)]
    own: IpAddr,
    /// The other balancer's, to tell it alone (unicast)
    #[arg(long, value_name = "ADDRESS", value_parser = host, required_unless_present = "multicast")]
    peer: Option<IpAddr>,
    /// Tell the whole network segment instead (224.0.0.18, ff02::12); many clouds and some switches drop that
    #[arg(long, conflicts_with = "peer")]
    multicast: bool,
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
    #[arg(long, value_name = "URL", value_parser = page)]
    url: Option<String>,
    /// The program that keepalived runs, with its whole path [default: this one]
    #[arg(long, value_name = "PATH", value_parser = program)]
    program: Option<PathBuf>,
    /// Where the configuration goes [default: the standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace that file if it is there
    #[arg(long, requires = "output")]
    force: bool,
}

pub(super) fn run(args: &KeepalivedArgs) -> anyhow::Result<ExitCode> {
    args.check()?;
    let program =
        args.program.clone().map_or_else(std::env::current_exe, Ok).context("cannot find the program itself")?;
    let text = configuration(args, &program)?;
    match &args.output {
        Some(path) => writing::make(path, &text, args.force).map_err(|error| unwritten(path, error))?,
        None => io::stdout().lock().write_all(text.as_bytes()).context("cannot write to the standard output")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn unwritten(path: &Path, error: io::Error) -> anyhow::Error {
    let is_there = error.kind() == io::ErrorKind::AlreadyExists;
    let error = anyhow::Error::new(error);
    if is_there {
        error.context(format!("{} is not written over without --force", path.display()))
    } else {
        error.context(format!("cannot write {}", path.display()))
    }
}

impl KeepalivedArgs {
    fn check(&self) -> anyhow::Result<()> {
        let Self { own, peer, address, .. } = self;
        for peer in peer.iter() {
            if own == peer {
                bail!("--self and --peer are both {own}: they are two hosts");
            }
            if own.is_ipv4() != peer.is_ipv4() {
                bail!("--self {own} and --peer {peer} are of two families");
            }
        }
        for shared in address {
            shared.check(*own, "--self")?;
            peer.iter().try_for_each(|peer| shared.check(*peer, "--peer"))?;
        }
        let is_twice = |index: usize| address[..index].iter().any(|other| other.address == address[index].address);
        match (0..address.len()).find(|index| is_twice(*index)) {
            Some(index) => bail!("--address {} is there twice", address[index].address),
            None => Ok(()),
        }
    }

    /// The lines of the instance that say whom it tells that it is there.
    fn told(&self) -> String {
        match self.peer {
            Some(peer) => {
                format!("    unicast_src_ip {}\n    unicast_peer {{\n        {peer}\n    }}\n", self.own)
            }
            // Of IPv6 it is the interface's own link-local address, as RFC 9568 5.1.2.1 wants it.
            None if self.own.is_ipv6() => String::new(),
            None => format!("    mcast_src_ip {}\n", self.own),
        }
    }
}

fn configuration(args: &KeepalivedArgs, program: &Path) -> anyhow::Result<String> {
    let KeepalivedArgs { interface, own, router_id, priority, .. } = args;
    let quoted = |path: &Path| match path.to_str() {
        Some(text) if word(text).is_ok() => Ok(text.to_owned()),
        _ => bail!("keepalived cannot run {path:?}: a path without spaces and quotes is needed"),
    };
    let (program, admin) = (quoted(program)?, quoted(&args.admin)?);
    let url = args.url.as_ref().map(|url| format!(" --url {url}")).unwrap_or_default();
    let other = args.peer.map_or_else(|| "another one, by multicast".to_owned(), |peer| peer.to_string());
    let told = args.told();
    let mut text = format!(
        "# The balancer {own}, which shares its address with {other}; written by `bedloe ha keepalived`.
# Its pid files are its own, so that it runs beside any other keepalived of the host:
#   keepalived --vrrp --dont-fork --use-file FILE
instance bedloe_{router_id}

global_defs {{
    router_id bedloe_{own}
    vrrp_version 3
    enable_script_security
    script_user root
    vrrp_garp_master_delay 1
    vrrp_garp_master_refresh 1
    vrrp_higher_prio_send_advert true
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
{told}    virtual_ipaddress {{
"
    );
    for Shared { address, length } in &args.address {
        let _ = writeln!(text, "        {address}/{length} dev {interface}");
    }
    text += "    }\n    track_script {\n        bedloe_alive\n        bedloe_servers\n    }\n}\n";
    Ok(text)
}

/// As the kernel has names of interfaces (dev_valid_name).
fn interface(text: &str) -> Result<String, String> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    let is_name = (1..=INTERFACE_MAX).contains(&text.len()) && text.bytes().all(is_fit) && text != "." && text != "..";
    if is_name { Ok(text.to_owned()) } else { Err("want the name of an interface, such as eth0".to_owned()) }
}

/// What `bedloe ha alive --url` takes, as one word.
fn page(text: &str) -> Result<String, String> {
    alive::page(text).map_err(|error| error.to_string())?;
    word(text)
}

/// keepalived looks for no program in `PATH`.
fn program(text: &str) -> Result<PathBuf, String> {
    if text.starts_with('/') {
        return Ok(PathBuf::from(text));
    }
    Err("want a path from the root, such as /usr/bin/bedloe".to_owned())
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

    /// What is found in what is written for two hosts, as a pair.
    fn pair(first: &str, second: &str) -> Vec<&'static str> {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, line: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, written(line).unwrap()).unwrap();
            let mut found = Vec::new();
            let nodes = super::super::tree::read(&path, &mut Vec::new(), &mut found);
            found.extend(super::super::lint::findings(&nodes, &path));
            found.retain(|found| found.code != "ha-script-file");
            assert!(found.is_empty(), "{found:?}");
            nodes
        };
        let (first, second) = (read("a", first), read("b", second));
        super::super::pair::findings(&first, &second, Path::new("b")).iter().map(|found| found.code).collect()
    }

    #[test]
    fn a_pair_is_written_and_finds_nothing_wrong_with_itself() {
        let rest = "--interface eth0 --address 10.0.0.10/24 --address 10.0.0.9/32";
        let line = |own: &str, peer: &str| format!("{rest} --self {own} --peer {peer}");
        assert_eq!(pair(&line("10.0.0.2", "10.0.0.3"), &line("10.0.0.3", "10.0.0.2")), [""; 0]);
        let six =
            "--interface eth0 --address fd00::10/64 --self fd00::2 --peer fd00::3 --url http://[::1]/x --priority 7";
        let text = written(six).unwrap();
        assert!(!text.contains("mcast"), "{text}");
        for part in [
            "master_refresh 1\n",
            "higher_prio_send_advert true\n",
            "fd00::10/64 dev eth0\n",
            "priority 7\n",
            "admin.sock --url http://[::1]/x\"\n",
            "script_user root",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }

    #[test]
    fn two_that_tell_by_multicast_are_a_pair() {
        let line = |own: &str| format!("--interface eth0 --address 10.0.0.10/24 --multicast --self {own}");
        let text = written(&line("10.0.0.2")).unwrap();
        assert!(text.contains("\n    mcast_src_ip 10.0.0.2\n") && !text.contains("unicast"), "{text}");
        assert!(text.contains("\ninstance bedloe_51\n"), "its own pid files: {text}");
        assert_eq!(pair(&line("10.0.0.2"), &line("10.0.0.3")), [""; 0]);
        let other = "--interface eth0 --address 10.0.0.10/24 --self 10.0.0.3 --peer 10.0.0.2";
        assert_eq!(pair(&line("10.0.0.2"), other), ["ha-pair-peer"]);
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
            ("--interface .. --address 10.0.0.9/24 --self 10.0.0.2 --peer 10.0.0.3", "the name of an interface"),
            ("--interface e:1 --address 10.0.0.9/24 --self 10.0.0.2 --peer 10.0.0.3", "the name of an interface"),
            ("--interface e --address 10.0.0.9/24 --self 10.0.0.2", "--peer"),
            ("--interface e --address 10.0.0.9/24 --self 10.0.0.2 --peer 10.0.0.3 --multicast", "cannot be used with"),
            ("--interface e --address 10.0.0.9/24 --self 127.0.0.1 --peer 10.0.0.3", "no address of a host"),
            ("--interface e --address 10.0.0.9/24 --self 10.0.0.2 --peer 0.0.0.0", "no address of a host"),
            ("--interface e --address 10.0.0.9/24 --self 10.0.0.2 --peer 10.0.0.255", "its last one"),
            ("--interface e --address 224.0.0.5/24 --self 10.0.0.2 --peer 10.0.0.3", "no address of a host"),
        ];
        for (line, part) in table {
            let said = written(line).unwrap_err();
            assert!(said.contains(part), "{line}: {said}");
        }
        let rest = "--interface e --address 10.0.0.9/24 --self 10.0.0.2 --peer 10.0.0.3";
        for (more, part) in [
            ("--url http://a\"b", "is no URL"),
            ("--url http://a/x;y", "reads otherwise"),
            ("--url https://10.0.0.2/", "takes http://"),
            ("--url nonsense", "takes http://"),
            ("--url http://10.0.0.2:99999/", "from 1 to 65535"),
            ("--program bedloe", "a path from the root"),
            ("--program ./bedloe", "a path from the root"),
            ("--force", "--output"),
        ] {
            let words = format!("x {rest} {more}");
            let said = match Line::try_parse_from(words.split_whitespace()) {
                Ok(_) => "taken".to_owned(),
                Err(error) => error.to_string(),
            };
            assert!(said.contains(part), "{more}: {said}");
        }
    }
}
