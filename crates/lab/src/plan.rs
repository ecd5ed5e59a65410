//! What a lab consists of: names and addresses, checked before anything starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::faults::{self, Fault, FaultError};
use crate::liberty;

/// Servers in one lab: each is a process of its own.
pub const SERVERS_MAX: usize = 64;
/// The shortest load, by the schedule of the injector.
pub const LOAD_MIN: Duration = Duration::from_secs(1);
/// The longest load, so that a typing error leaves nothing running for ever.
pub const LOAD_MAX: Duration = Duration::from_secs(24 * 3600);
/// The highest rate: beyond what a machine does with all of the architecture on it.
pub const RATE_MAX: u64 = 1_000_000;
/// The balancer's port for TLS.
const HTTPS: u16 = 8443;
/// The page that the load fetches.
pub const PAGE: &str = "/accounts-external/api/hello";

/// What the user asks for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program to run the balancer and the stand-ins with.
    pub program: PathBuf,
    /// Where configuration, certificate and logs go; made if missing, emptied of an earlier lab's files.
    pub folder: PathBuf,
    /// The balancer's address; the servers take those that follow.
    pub address: Ipv4Addr,
    /// How many servers.
    pub servers: usize,
    /// Requests a second.
    pub rate: u64,
    /// How long the measured load lasts.
    pub duration: Duration,
    /// How long the load before it lasts, which is not counted; zero for none.
    pub warm_up: Duration,
    /// The faults; `None` for the usual ones.
    pub faults: Option<Vec<Fault>>,
    /// The Liberty that the servers are of; stand-ins where there is none.
    pub liberty: Option<liberty::Wanted>,
    /// The measured load, where it is not the page at that rate.
    pub load: Option<Box<load::Plan>>,
    /// Whether the servers are restarted one after the other under the load.
    pub roll: bool,
}

/// One server of the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, `liberty-1`.
    pub name: String,
    /// Its clone id, `s1`.
    pub clone: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A checked lab.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What was asked for.
    pub options: Options,
    /// The servers.
    pub servers: Vec<Server>,
    /// Where the balancer redirects from.
    pub http: SocketAddr,
    /// Where the balancer serves TLS.
    pub https: SocketAddr,
    /// The faults by time.
    pub faults: Vec<Fault>,
}

/// Why a lab cannot be as asked for.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum PlanError {
    #[error("a lab has 1 to {SERVERS_MAX} servers, not {0}")]
    Servers(usize),
    #[error("a rate is 1 to {RATE_MAX} requests a second, not {0}")]
    Rate(u64),
    #[error("a load lasts {LOAD_MIN:?} to {LOAD_MAX:?}, not {0:?}")]
    Duration(Duration),
    #[error("the lab stays on this machine: {0} and the addresses after it are not all in 127.0.0.0/8")]
    Address(Ipv4Addr),
    #[error(transparent)]
    Fault(#[from] FaultError),
}

impl Plan {
    /// Checks what was asked for and lays it out.
    pub fn new(options: Options) -> Result<Self, PlanError> {
        if !(1..=SERVERS_MAX).contains(&options.servers) {
            return Err(PlanError::Servers(options.servers));
        }
        if !(1..=RATE_MAX).contains(&options.rate) {
            return Err(PlanError::Rate(options.rate));
        }
        let warm_up = Some(options.warm_up).filter(|warm_up| !warm_up.is_zero());
        for load in [options.duration].into_iter().chain(warm_up) {
            if !(LOAD_MIN..=LOAD_MAX).contains(&load) {
                return Err(PlanError::Duration(load));
            }
        }
        let servers = (1..=options.servers)
            .map(|number| server(number, &options).ok_or(PlanError::Address(options.address)))
            .collect::<Result<Vec<_>, _>>()?;
        let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
        let wanted = options.faults.clone().unwrap_or_else(|| faults::usual(&names, options.duration));
        let faults = faults::check(wanted, &names, options.duration)?;
        let at = |port| SocketAddr::from((options.address, port));
        Ok(Self { http: at(8080), https: at(HTTPS), servers, faults, options })
    }

    /// Where the balancer serves TLS.
    pub fn base(address: Ipv4Addr) -> String {
        format!("https://{address}:{HTTPS}")
    }

    /// The address that the load fetches.
    pub fn url(&self) -> String {
        format!("https://{}{PAGE}", self.https)
    }

    /// The socket at which the balancer tells its state.
    pub fn admin(&self) -> PathBuf {
        self.options.folder.join("admin.sock")
    }

    /// The balancer's configuration.
    pub fn configuration(&self) -> PathBuf {
        self.options.folder.join("nginx.conf")
    }
}

fn server(number: usize, options: &Options) -> Option<Server> {
    let address = u32::from(options.address).checked_add(u32::try_from(number).ok()?).map(Ipv4Addr::from)?;
    let is_loopback = options.address.is_loopback() && address.is_loopback();
    is_loopback.then(|| Server::numbered(number, options.servers, address))
}

impl Server {
    /// One of so many.
    pub(crate) fn numbered(number: usize, servers: usize, address: Ipv4Addr) -> Self {
        // Clone ids of one length: IBM's plug-in looks for them as parts of a string, and would find s1 in s10.
        let width = servers.to_string().len();
        Self {
            name: format!("liberty-{number}"),
            clone: format!("s{number:0width$}"),
            address: SocketAddr::new(IpAddr::V4(address), 9080),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn options() -> Options {
        Options {
            program: "bedloe".into(),
            folder: "lab".into(),
            address: Ipv4Addr::new(127, 0, 0, 10),
            servers: 3,
            rate: 8000,
            duration: Duration::from_secs(60),
            warm_up: Duration::from_secs(5),
            faults: None,
            liberty: None,
            load: None,
            roll: false,
        }
    }

    #[test]
    fn three_servers_follow_the_balancer() {
        let plan = Plan::new(options()).unwrap();
        let shown: Vec<String> = plan.servers.iter().map(|s| format!("{} {} {}", s.name, s.clone, s.address)).collect();
        let expected = ["liberty-1 s1 127.0.0.11:9080", "liberty-2 s2 127.0.0.12:9080", "liberty-3 s3 127.0.0.13:9080"];
        assert_eq!(shown, expected);
        assert_eq!(plan.url(), "https://127.0.0.10:8443/accounts-external/api/hello");
        assert_eq!(plan.http.to_string(), "127.0.0.10:8080");
    }

    #[test]
    fn clone_ids_have_one_length() {
        let plan = Plan::new(Options { servers: 10, ..options() }).unwrap();
        assert_eq!(plan.servers[0].clone, "s01");
        assert_eq!(plan.servers[9].clone, "s10");
    }

    #[test]
    fn what_is_refused() {
        let table = [
            Options { servers: 0, ..options() },
            Options { servers: SERVERS_MAX + 1, ..options() },
            Options { rate: 0, ..options() },
            Options { duration: Duration::ZERO, ..options() },
            Options { warm_up: LOAD_MAX * 2, ..options() },
            Options { address: Ipv4Addr::new(10, 0, 0, 10), ..options() },
            Options { address: Ipv4Addr::new(127, 255, 255, 253), ..options() },
        ];
        for bad in table {
            assert!(Plan::new(bad.clone()).is_err(), "{bad:?}");
        }
    }
}
