//! Addresses of names that scripts ask for, looked up as the system does it (`/etc/hosts` included), on a thread of its
//! own for each, and kept for as long as k6 keeps them.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{LazyLock, Mutex, PoisonError};

use net::clock::now_ns;
use tokio::sync::oneshot;

use crate::failure::Failure;

/// How long an answer holds: k6's default.
const VALID_NS: u64 = 300_000_000_000;
/// Names that are remembered; a script that asks for more makes them up.
const MOST_NAMES: usize = 10_000;

type Answers = HashMap<String, (IpAddr, u64)>;

/// Locked once a connection to a host by name, which costs far more than that.
static ANSWERS: LazyLock<Mutex<Answers>> = LazyLock::new(Mutex::default);

/// The address of a name; IPv4 comes first.
pub(crate) async fn lookup(host: &str) -> Result<IpAddr, Failure> {
    let known = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied();
    if let Some((address, until_ns)) = known
        && now_ns() < until_ns
    {
        return Ok(address);
    }
    let (reply, answer) = oneshot::channel();
    let name = host.to_owned();
    let asked = std::thread::Builder::new().name("names".into()).spawn(move || {
        let _ = reply.send(ask(&name));
    });
    let address = match asked {
        Ok(_) => answer.await.ok().flatten(),
        Err(_) => None,
    };
    let address = address.ok_or_else(|| Failure::name(host))?;
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    if answers.len() >= MOST_NAMES {
        answers.clear();
    }
    answers.insert(host.to_owned(), (address, now_ns() + VALID_NS));
    Ok(address)
}

#[allow(clippy::disallowed_methods, reason = "on a thread that does nothing else")]
fn ask(host: &str) -> Option<IpAddr> {
    let all: Vec<IpAddr> = (host, 0).to_socket_addrs().ok()?.map(|address| address.ip()).collect();
    all.iter().find(|ip| ip.is_ipv4()).or(all.first()).copied()
}
