//! Which hosts there are, and what is done to them when. Pure.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::duration::{self, BadDuration};
use crate::liberty;
use crate::plan::{PAGE, RATE_MAX, Server};

/// The address that moves.
pub const SHARED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
/// Where it serves, by TLS: the load, and the lab's own clients.
pub(super) const PORT: u16 = 443;
/// The name that stands for the balancer that has the address when a fault is done.
const MASTER: &str = "master";
/// What stands before the name of a balancer where keepalived beside it is meant.
const KEEPALIVED: &str = "keepalived-";
/// The longest such lab: all that probes see is kept.
const DURATION_MAX: Duration = Duration::from_secs(3600);
/// The addresses of servers end below 100.
const SERVERS_MAX: usize = 64;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// This program.
    pub program: PathBuf,
    /// Where configuration and logs go.
    pub folder: PathBuf,
    /// Servers.
    pub servers: usize,
    /// Requests a second, over TLS.
    pub rate: u64,
    /// How long the load lasts.
    pub duration: Duration,
    /// Sessions that are visited all the time.
    pub sessions: usize,
    /// The faults; `None` for the usual ones.
    pub faults: Option<Vec<Fault>>,
    /// The Liberty that the servers are of; stand-ins where there is none.
    pub liberty: Option<liberty::Wanted>,
}

/// What is done to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// SIGKILL to the balancer or the server.
    Kill,
    /// It is started again.
    Restart,
    /// SIGSTOP.
    Pause,
    /// SIGCONT.
    Resume,
    /// The cable is pulled.
    Cut,
    /// The cable is plugged in, and no packet is lost any more.
    Mend,
    /// This share of packets is lost, of 100, both ways.
    Drop(u8),
    /// All that runs there is killed, and the cable is pulled.
    StopHost,
    /// The cable is plugged in, and all is started again.
    StartHost,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub act: Act,
    /// To which host; `master` is the balancer that has the address, `keepalived-` before it keepalived alone.
    pub host: String,
    /// When, from the start of the load.
    pub at: Duration,
}

/// Why faults make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum FaultError {
    #[error("{0:?} is no fault; write NAME@TIME, for example balancer-1@15s")]
    NoAt(String),
    #[error("{0:?} is no loss; write NAME:PERCENT@TIME, for example liberty-1:10@15s")]
    NoShare(String),
    #[error("{text:?}")]
    Time { text: String, source: BadDuration },
    #[error("{host} at {at:?}: there is no such host; there are master, {known}, and {KEEPALIVED}master and so on")]
    Unknown { host: String, at: Duration, known: String },
    #[error(
        "{host} at {at:?}: keepalived is killed, restarted, paused or resumed; for what else is done name its host"
    )]
    NoHost { host: String, at: Duration },
    #[error("{host} at {at:?}: the load ends at {end:?}")]
    Late { host: String, at: Duration, end: Duration },
    #[error("such a lab lasts 1s to {DURATION_MAX:?}, not {0:?}")]
    Duration(Duration),
    #[error("such a lab has 1 to {SERVERS_MAX} servers, not {0}")]
    Servers(usize),
    #[error("a rate is 1 to {RATE_MAX} requests a second, not {0}")]
    Rate(u64),
}

impl Fault {
    /// Reads `NAME@TIME`, and `NAME:PERCENT@TIME` for a loss of packets.
    pub fn parse(act: Act, text: &str) -> Result<Self, FaultError> {
        let (host, at) = text.rsplit_once('@').ok_or_else(|| FaultError::NoAt(text.to_owned()))?;
        let at = duration::parse(at).map_err(|source| FaultError::Time { text: text.to_owned(), source })?;
        let (host, act) = match act {
            Act::Drop(_) => {
                let wrong = || FaultError::NoShare(text.to_owned());
                let (host, share) = host.rsplit_once(':').ok_or_else(wrong)?;
                let share = share.parse().ok().filter(|share| (1..=100).contains(share)).ok_or_else(wrong)?;
                (host, Act::Drop(share))
            }
            act => (host, act),
        };
        Ok(Self { act, host: host.to_owned(), at })
    }
}

impl Options {
    /// Checks what is asked for.
    pub(super) fn check(&self) -> Result<(), FaultError> {
        if !(1..=SERVERS_MAX).contains(&self.servers) {
            return Err(FaultError::Servers(self.servers));
        }
        if !(1..=RATE_MAX).contains(&self.rate) {
            return Err(FaultError::Rate(self.rate));
        }
        if !(Duration::from_secs(1)..=DURATION_MAX).contains(&self.duration) {
            return Err(FaultError::Duration(self.duration));
        }
        let names: Vec<String> = self.hosts().into_iter().map(|(name, _)| name).collect();
        for Fault { host, at, act } in self.faults.iter().flatten() {
            let is_known = is_master(host) || names.contains(host) || is_balancer(host);
            if !is_known {
                return Err(FaultError::Unknown { host: host.clone(), at: *at, known: names.join(", ") });
            }
            if is_keepalived(host) && !act.is_of_a_process() {
                return Err(FaultError::NoHost { host: host.clone(), at: *at });
            }
            if *at >= self.duration {
                return Err(FaultError::Late { host: host.clone(), at: *at, end: self.duration });
            }
        }
        Ok(())
    }

    /// The faults by time: those asked for, or the master cut off and back, and then the same without a sign of it, as
    /// by a switch that loses everything.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let part = self.duration / 5;
        let fault = |act, times| Fault { act, host: MASTER.to_owned(), at: part * times };
        let usual = || vec![fault(Act::Cut, 1), fault(Act::Mend, 2), fault(Act::Drop(100), 3), fault(Act::Mend, 4)];
        let mut faults = self.faults.clone().unwrap_or_else(usual);
        faults.sort_by_key(|fault| fault.at);
        faults
    }

    /// All hosts but the injector's, with their addresses.
    pub(super) fn hosts(&self) -> Vec<(String, Ipv4Addr)> {
        let balancers = BALANCERS.map(|(name, address)| (name.to_owned(), address));
        balancers
            .into_iter()
            .chain(self.members().into_iter().map(|server| (server.name, v4(server.address))))
            .collect()
    }

    /// The servers, as the seed has them.
    pub(super) fn members(&self) -> Vec<Server> {
        let address = |number: usize| Ipv4Addr::new(10, 0, 0, u8::try_from(10 + number).unwrap_or(u8::MAX));
        (1..=self.servers).map(|number| Server::numbered(number, self.servers, address(number))).collect()
    }
}

/// The balancers.
pub(super) const BALANCERS: [(&str, Ipv4Addr); 2] =
    [("balancer-1", Ipv4Addr::new(10, 0, 0, 2)), ("balancer-2", Ipv4Addr::new(10, 0, 0, 3))];
/// The host that the lab itself is on.
pub(super) const INJECTOR: (&str, Ipv4Addr) = ("injector", Ipv4Addr::new(10, 0, 0, 100));

fn v4(address: SocketAddr) -> Ipv4Addr {
    match address {
        SocketAddr::V4(address) => *address.ip(),
        SocketAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

/// What the load fetches.
pub(super) fn url() -> String {
    format!("https://{SHARED}{PAGE}")
}

/// Whether a name stands for the balancer that has the address, or keepalived there.
pub(super) fn is_master(host: &str) -> bool {
    beside(host) == MASTER
}

/// Whether a name is a balancer's, or of keepalived beside one.
pub(super) fn is_balancer(host: &str) -> bool {
    BALANCERS.iter().any(|(name, _)| *name == beside(host))
}

/// Whether keepalived is meant, and not its host.
pub(super) fn is_keepalived(host: &str) -> bool {
    host.starts_with(KEEPALIVED)
}

/// The host that keepalived is on, or the host itself.
pub(super) fn beside(host: &str) -> &str {
    host.strip_prefix(KEEPALIVED).unwrap_or(host)
}

/// keepalived beside a balancer.
pub(super) fn keepalived(balancer: &str) -> String {
    format!("{KEEPALIVED}{balancer}")
}

impl Act {
    /// As words behind a host's name.
    pub fn what(self) -> String {
        match self {
            Self::Kill => "is killed (SIGKILL)".into(),
            Self::Restart => "is started again".into(),
            Self::Pause => "is paused (SIGSTOP)".into(),
            Self::Resume => "goes on (SIGCONT)".into(),
            Self::Cut => "is cut off".into(),
            Self::Mend => "is connected again".into(),
            Self::Drop(share) => format!("loses {share}% of its packets"),
            Self::StopHost => "is stopped".into(),
            Self::StartHost => "is started".into(),
        }
    }

    /// Whether it is done to one process, and not to a host.
    fn is_of_a_process(self) -> bool {
        matches!(self, Self::Kill | Self::Restart | Self::Pause | Self::Resume)
    }

    /// Whether it ends a fault.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Restart | Self::Resume | Self::Mend | Self::StartHost)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {:?}", self.host, self.act.what(), self.at)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn options(faults: Option<Vec<Fault>>) -> Options {
        Options {
            program: "bedloe".into(),
            folder: "lab".into(),
            servers: 3,
            rate: 500,
            duration: Duration::from_secs(50),
            sessions: 10,
            faults,
            liberty: None,
        }
    }

    #[test]
    fn the_hosts_are_the_seeds() {
        let hosts = options(None).hosts().into_iter().map(|(name, address)| format!("{name} {address}"));
        let expected = ["balancer-1 10.0.0.2", "balancer-2 10.0.0.3", "liberty-1 10.0.0.11", "liberty-2 10.0.0.12"];
        assert_eq!(hosts.take(4).collect::<Vec<_>>(), expected);
        assert_eq!(url(), "https://10.0.0.10/accounts-external/api/hello");
        let clones: Vec<String> =
            Options { servers: 10, ..options(None) }.members().into_iter().map(|server| server.clone).collect();
        assert_eq!((clones[0].as_str(), clones[9].as_str()), ("s01", "s10"));
    }

    #[test]
    fn the_usual_faults_cut_the_master_off_twice() {
        let shown: Vec<String> = options(None).faults().iter().map(Fault::to_string).collect();
        let expected = [
            "master is cut off at 10s",
            "master is connected again at 20s",
            "master loses 100% of its packets at 30s",
            "master is connected again at 40s",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn faults_are_read_and_checked() {
        let fault = |act, text| Fault::parse(act, text);
        assert_eq!(fault(Act::Drop(0), "liberty-1:10@5s").unwrap().act, Act::Drop(10));
        let said = |error: FaultError| crate::with_causes(&error);
        for text in ["liberty-1@5s", "liberty-1:0@5s", "liberty-1:101@5s", "liberty-1:x@5s"] {
            assert!(said(fault(Act::Drop(0), text).unwrap_err()).contains("write NAME:PERCENT@TIME"), "{text}");
        }
        assert!(said(fault(Act::Cut, "liberty-1").unwrap_err()).contains("write NAME@TIME"));
        assert!(said(fault(Act::Cut, "liberty-1@x").unwrap_err()).contains("is no duration"));
        let check = |text| options(Some(vec![fault(Act::Cut, text).unwrap()])).check();
        assert!(check("balancer-2@5s").is_ok() && check("master@49s").is_ok());
        assert!(
            said(check("injector@5s").unwrap_err()).contains("there are master, balancer-1, balancer-2, liberty-1")
        );
        assert!(said(check("liberty-3@50s").unwrap_err()).ends_with("the load ends at 50s"));
        assert!(check("keepalived-master@5s").is_err_and(|error| said(error).contains("for what else")));
        let kill = |text| options(Some(vec![fault(Act::Kill, text).unwrap()])).check();
        assert!(kill("keepalived-master@5s").is_ok() && kill("keepalived-balancer-2@5s").is_ok());
        assert!(said(kill("keepalived-liberty-1@5s").unwrap_err()).contains("and keepalived-master and so on"));
        assert!(Options { servers: 65, ..options(None) }.check().is_err());
        assert!(Options { duration: Duration::ZERO, ..options(None) }.check().is_err());
        assert!(Options { rate: 0, ..options(None) }.check().is_err());
    }
}
