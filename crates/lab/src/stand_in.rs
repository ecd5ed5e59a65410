//! A stand-in for a Liberty server: behaves at the HTTP level as one does, for trying and testing.
//!
//! Sessions with a clone id, health pages, the time an idle connection is kept, the way a server stops. One thread, so
//! that several of them and a load fit on a small machine. Left out: applications, TLS, HTTP/2, session replication.

mod answer;
mod body;
mod connections;
mod dice;
mod fault;
mod orders;
mod pages;
mod session;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::task::LocalSet;

pub(crate) use answer::SERVED_BY;
pub use fault::{Fault, tell};
pub(crate) use pages::HELLO;

use answer::Server;
use connections::{Connections, SWEEP};
use orders::Orders;

/// How long after the order to stop an idle kept connection may still bring a request: a Liberty server closed its own
/// within 0.24 s.
const STOP_IDLE: Duration = Duration::from_millis(200);
/// How long requests in flight may take to finish after the order to stop, as Liberty's quiesce.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// The pause after a failed `accept` (mostly: out of file descriptors), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What a stand-in is and how it misbehaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address it listens at; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The name it answers with.
    pub name: String,
    /// Its clone id; a made-up one, as a server's UUID, where none is given.
    pub clone: Option<String>,
    /// What stands between a session id and the clone ids.
    pub separator: char,
    /// `noAdditionalInfo`: no clone id in the cookie.
    pub no_additional_info: bool,
    /// How long an idle connection is kept.
    pub persist_timeout: Duration,
    /// Added to every answer of the application.
    pub delay: Duration,
    /// Opens its port only after this long, as a JVM that starts.
    pub start_delay: Duration,
    /// For this long after the port opens, answers are slower, less and less so.
    pub warm_up: Duration,
    /// What the first answer is slower by.
    pub warm_up_delay: Duration,
    /// `/health/ready` and `/health/started` say DOWN for this long after the port opens.
    pub ready_after: Duration,
    /// The part of the application's answers that are errors, 0 to 1.
    pub error_rate: f64,
    /// The status of such an error.
    pub error_status: u16,
    /// A file that the ids of orders are appended to before they are answered, so that a kill loses none.
    pub orders_log: Option<PathBuf>,
    /// A socket where it is told what to do wrong; its answers then say whose they are.
    pub faults: Option<PathBuf>,
}

impl Options {
    /// A server that does all it should, at once.
    pub fn new(listen: SocketAddr, name: &str) -> Self {
        Self {
            listen,
            name: name.to_owned(),
            clone: None,
            separator: ':',
            no_additional_info: false,
            persist_timeout: Duration::from_secs(30),
            delay: Duration::ZERO,
            start_delay: Duration::ZERO,
            warm_up: Duration::ZERO,
            warm_up_delay: Duration::from_millis(200),
            ready_after: Duration::ZERO,
            error_rate: 0.0,
            error_status: 503,
            orders_log: None,
            faults: None,
        }
    }
}

/// Why a stand-in could not serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not to be had.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// An option has a value that makes no sense.
    #[error("{0}")]
    Option(String),
    /// The orders' log cannot be read or written.
    #[error("cannot use the orders' log {path}")]
    OrdersLog {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The socket for faults is not to be had.
    #[error("cannot listen at {path}")]
    Faults {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No runtime, no signals.
    #[error("cannot start")]
    Start(#[from] std::io::Error),
}

/// Serves until SIGTERM or SIGINT, then stops as Liberty does. `ready` gets the address once the port is open.
pub fn run(options: Options, ready: impl FnOnce(SocketAddr)) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let stop = stop_signal()?;
        tokio::time::sleep(options.start_delay).await;
        let stand_in = StandIn::bind(options).await?;
        ready(stand_in.address());
        stand_in.serve(stop).await;
        Ok(())
    })
}

/// A stand-in whose port is open.
pub struct StandIn {
    listener: TcpListener,
    address: SocketAddr,
    faults: Option<UnixListener>,
    server: Rc<Server>,
}

impl StandIn {
    /// Checks the options and opens the port.
    pub async fn bind(options: Options) -> Result<Self, Error> {
        check(&options)?;
        let orders = match &options.orders_log {
            None => Orders::default(),
            Some(path) => Orders::with_log(path).map_err(|source| Error::OrdersLog { path: path.clone(), source })?,
        };
        let faults = options
            .faults
            .as_ref()
            .map(|path| fault::listen(path).map_err(|source| Error::Faults { path: path.clone(), source }));
        let faults = faults.transpose()?;
        let refused = |source| Error::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, faults, server: Rc::new(Server::new(options, orders)) })
    }

    /// The address it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready: then the port closes at once, idle connections shortly after and without a word,
    /// and requests in flight finish. Must run inside a `LocalSet`.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let connections = Rc::new(Connections::new(self.server.options.persist_timeout));
        let sweeper = tokio::task::spawn_local(sweep(connections.clone()));
        let Self { listener, server, faults, .. } = self;
        let obeys = faults.map(|listener| tokio::task::spawn_local(fault::obey(listener, server.clone())));
        tokio::select! {
            () = accept(&listener, &server, &connections) => {}
            () = stop => {}
        }
        server.stop();
        drop(listener);
        tokio::time::sleep(STOP_IDLE).await;
        sweeper.abort();
        connections.finish_all();
        let all_gone = connections.all_gone();
        // What is still open after the limit goes with the process.
        let _ = tokio::time::timeout(STOP_LIMIT, all_gone).await;
        obeys.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn accept(listener: &TcpListener, server: &Rc<Server>, connections: &Rc<Connections>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => connections.serve(stream, server.clone()),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn sweep(connections: Rc<Connections>) {
    let mut every = tokio::time::interval(SWEEP);
    loop {
        every.tick().await;
        connections.sweep();
    }
}

fn check(options: &Options) -> Result<(), Error> {
    let bad = |what: String| Err(Error::Option(what));
    if !(0.0..=1.0).contains(&options.error_rate) {
        return bad(format!("an error rate is between 0 and 1, not {}", options.error_rate));
    }
    if !(200..=999).contains(&options.error_status) {
        return bad(format!("{} is no final HTTP status", options.error_status));
    }
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if !plain(&options.name) {
        return bad(format!("a name has letters, digits, '-', '_' and '.' only: {:?}", options.name));
    }
    // A cookie's value holds no other characters, and these would be taken for a part of an id.
    let is_taken = |separator| matches!(separator, '"' | ',' | ';' | '\\' | '-' | '_' | '.');
    if !options.separator.is_ascii_punctuation() || is_taken(options.separator) {
        let separator = options.separator;
        return bad(format!("a clone separator is a character such as ':', '+' or '!', not {separator:?}"));
    }
    match &options.clone {
        Some(_) if options.no_additional_info => bad("without additional info there is no clone id to set".to_owned()),
        Some(clone) if !plain(clone) => {
            bad(format!("a clone id has letters, digits, '-', '_' and '.' only: {clone:?}"))
        }
        _ => Ok(()),
    }
}

fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
