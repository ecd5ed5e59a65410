//! The listening sockets: opened by whoever may, kept over reloads, found again by their addresses.

use std::net::{SocketAddr, TcpListener};

use anyhow::bail;
use net::listen::Options;

/// Open sockets with the addresses that the configuration has for them (`127.0.0.1:0` is one such).
#[derive(Debug, Default)]
pub(super) struct Sockets(Vec<(SocketAddr, TcpListener)>);

/// What a configuration wants: an address and options for each listener with a socket of its own.
pub(super) type Wanted = [Option<(SocketAddr, Options)>];

impl Sockets {
    pub(super) fn add(&mut self, address: SocketAddr, socket: TcpListener) {
        self.0.push((address, socket));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &TcpListener> {
        self.0.iter().map(|(_, socket)| socket)
    }

    /// The sockets of a configuration: those that are open already, and new ones. Tells of all that cannot be opened;
    /// then nothing has changed.
    pub(super) fn follow(&self, wanted: &Wanted) -> anyhow::Result<Self> {
        let mut failures = Vec::new();
        let mut sockets = Self::default();
        for &(address, options) in wanted.iter().flatten() {
            match self.open(address, &options) {
                Ok(socket) => sockets.add(address, socket),
                Err(error) => {
                    let advice = match crate::check::advice(address, &error) {
                        "" => String::new(),
                        advice => format!(" ({advice})"),
                    };
                    failures.push(format!("cannot listen on {address}: {error}{advice}"));
                }
            }
        }
        if !failures.is_empty() {
            bail!("{}", failures.join("; "));
        }
        if sockets.0.is_empty() {
            bail!("the configuration has no server to listen for: write `http {{ server {{ listen 80; ... }} }}`");
        }
        Ok(sockets)
    }

    /// Second descriptors of the sockets, by the index of the configuration's listener.
    pub(super) fn share(&self, wanted: &Wanted) -> std::io::Result<proxy::Listening> {
        let share = |&wanted: &Option<(SocketAddr, Options)>| {
            wanted.and_then(|(address, _)| self.at(address)).map(TcpListener::try_clone).transpose()
        };
        wanted.iter().map(share).collect()
    }

    fn at(&self, address: SocketAddr) -> Option<&TcpListener> {
        self.0.iter().find(|(own, _)| *own == address).map(|(_, socket)| socket)
    }

    fn open(&self, address: SocketAddr, options: &Options) -> std::io::Result<TcpListener> {
        let Some(open) = self.at(address) else { return net::listen::open_with(address, options) };
        // The length of the queue may be another one now; that it listens already is no matter.
        rustix::net::listen(open, i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
        open.try_clone()
    }
}
