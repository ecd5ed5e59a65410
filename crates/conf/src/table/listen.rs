//! `listen`.

use std::net::SocketAddr;

use super::{Apply, Contexts, Directive, Takes};
use crate::address::{self, Address};
use crate::build::{Call, Cx, DEFAULT_BACKLOG, ListenDraft, Outcome, ServerDraft};
use crate::tree::{KeepAlive, Listen, ListenAddress, SocketOptions};
use crate::value;

pub(super) const DIRECTIVES: &[Directive] = &[Directive {
    name: "listen",
    contexts: Contexts::SERVER,
    takes: Takes::at_least(1),
    repeats: true,
    default: "*:80",
    doc: "An address and port on which a server answers.",
    example: "listen 127.0.0.1:8080 default_server backlog=1024;",
    apply: Apply::Server(listen),
}];

const PARAMETERS: [&str; 14] = [
    "default_server",
    "ssl",
    "http2",
    "backlog=",
    "reuseport",
    "proxy_protocol",
    "quic",
    "so_keepalive=",
    "deferred",
    "fastopen=",
    "rcvbuf=",
    "sndbuf=",
    "bind",
    "ipv6only=",
];

/// Ports of one `listen`: each is a socket.
const PORTS_MAX: u16 = 1024;

fn listen(draft: &mut ServerDraft, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let text = call.text(0);
    let (text, ports) = without_range(text).map_err(|wrong| call.invalid(0, wrong))?;
    let addresses: Vec<ListenAddress> = match address::parse_listen(&text).map_err(|error| call.invalid(0, error))? {
        Address::Socket(address) => {
            let port = |more| SocketAddr::new(address.ip(), address.port() + more);
            (0..=ports).map(|more| port(more).into()).collect()
        }
        Address::Unix(path) => vec![ListenAddress::Unix(cx.options.prefix.join(path))],
        Address::Name { host, port } => {
            let found = cx.resolve(call.word(0), &host, port)?;
            let ports = |address: SocketAddr| (0..=ports).map(move |more| (address.ip(), address.port() + more).into());
            found.into_iter().flat_map(ports).map(SocketAddr::into).collect()
        }
    };
    let listen = Listen {
        address: addresses[0].clone(),
        ssl: false,
        http2: false,
        proxy_protocol: false,
        default_server: false,
        backlog: DEFAULT_BACKLOG,
        options: SocketOptions::default(),
        place: call.node.name.place.clone(),
    };
    let mut written = ListenDraft { listen, backlog: None, has_options: false };
    for index in 1..call.args().len() {
        if let Err(wrong) = parameter(&mut written, call, index, cx) {
            cx.report(wrong);
        }
    }
    for address in addresses {
        if draft.listens.iter().any(|other| other.listen.address == address) {
            let message = format!("this server listens on {address} already");
            return Err(crate::Diagnostic::error("duplicate-listen", &call.word(0).place, message));
        }
        let ListenDraft { backlog, has_options, ref listen } = written;
        draft.listens.push(ListenDraft { listen: Listen { address, ..listen.clone() }, backlog, has_options });
    }
    Ok(())
}

/// The address with the first port of `PORT-PORT`, and how many follow that one.
fn without_range(text: &str) -> Result<(String, u16), String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((start, last)) = text.rsplit_once('-').filter(|(_, last)| digits(last)) else {
        return Ok((text.to_owned(), 0));
    };
    let first = start.rsplit_once(':').map_or(start, |(_, port)| port);
    if !digits(first) {
        return Ok((text.to_owned(), 0));
    }
    let ports = first.parse::<u16>().ok().zip(last.parse::<u16>().ok());
    let more = ports.and_then(|(first, last)| last.checked_sub(first)).filter(|more| *more < PORTS_MAX);
    more.map(|more| (start.to_owned(), more))
        .ok_or_else(|| format!("a range goes from one port to a higher one, and has at most {PORTS_MAX}"))
}

fn parameter(written: &mut ListenDraft, call: &Call<'_>, index: usize, cx: &mut Cx<'_>) -> Outcome {
    const ENGINE: &str = "connections are accepted as they come";
    let text = call.text(index);
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let listen = &mut written.listen;
    match (name, value) {
        ("default_server" | "default", None) => listen.default_server = true,
        ("ssl", None) => listen.ssl = true,
        ("http2", None) => listen.http2 = true,
        ("proxy_protocol", None) => listen.proxy_protocol = true,
        ("reuseport", None) => {
            written.has_options = true;
            cx.no_effect(&call.word(index).place, "reuseport", "every thread accepts by itself");
        }
        ("bind", None) => written.has_options = true,
        ("deferred", None) => {
            written.has_options = true;
            cx.no_effect(&call.word(index).place, "deferred", ENGINE);
        }
        ("fastopen", Some(value)) => {
            value::number_u32(value, 0).map_err(|error| call.invalid(index, error))?;
            written.has_options = true;
            cx.no_effect(&call.word(index).place, "fastopen", ENGINE);
        }
        ("backlog" | "ipv6only" | "rcvbuf" | "sndbuf" | "so_keepalive", Some(value)) => {
            written.has_options = true;
            option(written, name, value).map_err(|error| call.invalid(index, error))?;
        }
        ("quic" | "setfib" | "accept_filter" | "multipath", _) => {
            return Err(call.not_yet(index, "this parameter of listen"));
        }
        _ => return Err(call.unknown_word(index, "parameter of \"listen\"", PARAMETERS)),
    }
    Ok(())
}

fn option(written: &mut ListenDraft, name: &str, value: &str) -> Result<(), String> {
    let options = &mut written.listen.options;
    let size = || match value::size(value).ok().and_then(|size| u32::try_from(size).ok()) {
        Some(size) if size > 0 => Ok(size),
        _ => Err("a size such as 64k must stand behind \"=\"".to_owned()),
    };
    match name {
        "backlog" => {
            let most = u64::from(i32::MAX.unsigned_abs());
            let count = value::number(value, 1, most).map_err(|error| error.to_string())?;
            written.backlog = u32::try_from(count).ok();
        }
        "rcvbuf" => options.receive_buffer = Some(size()?),
        "sndbuf" => options.send_buffer = Some(size()?),
        "so_keepalive" => options.keepalive = Some(keepalive(value)?),
        // Of an IPv4 address it says nothing, as in nginx.
        _ => options.takes_ipv4 = !value::switch(value).map_err(|error| error.to_string())?,
    }
    Ok(())
}

/// `on`, `off`, `[IDLE]:[INTERVAL]:[COUNT]`.
fn keepalive(value: &str) -> Result<KeepAlive, String> {
    match value {
        "off" => return Ok(KeepAlive::Off),
        "on" => return Ok(KeepAlive::On { idle_s: None, interval_s: None, count: None }),
        _ => {}
    }
    let wrong = || "write on, off, or [IDLE]:[INTERVAL]:[COUNT] such as 30m::10".to_owned();
    let parts: Vec<&str> = value.split(':').collect();
    let [idle, interval, count] = parts.as_slice() else { return Err(wrong()) };
    let seconds = |text: &str| match text {
        "" => Ok(None),
        text => value::seconds_ms(text).map(|ms| Some(ms / 1_000)).map_err(|_| wrong()),
    };
    let count = match *count {
        "" => None,
        text => Some(value::number_u32(text, 1).map_err(|_| wrong())?),
    };
    let (idle_s, interval_s) = (seconds(idle)?, seconds(interval)?);
    if (idle_s, interval_s, count) == (None, None, None) {
        return Err(wrong());
    }
    Ok(KeepAlive::On { idle_s, interval_s, count })
}
