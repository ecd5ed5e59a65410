//! The listening sockets: opened by whoever may, kept over reloads, found again by their addresses.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::bail;
use conf::tree::ListenAddress;
use net::listen::Options;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};

/// Open sockets with the addresses that the configuration has for them (`127.0.0.1:0` is one such). Unix sockets are
/// kept in the same type: nothing but accepting is done with them, which the kernel does by the descriptor.
#[derive(Debug, Default)]
pub(super) struct Sockets(Vec<(ListenAddress, TcpListener)>);

/// What a configuration wants: an address and options for each listener with a socket of its own.
pub(super) type Wanted = [Option<(ListenAddress, Options)>];

impl Sockets {
    pub(super) fn add(&mut self, address: ListenAddress, socket: TcpListener) {
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
        for (address, options) in wanted.iter().flatten() {
            match self.open(address, options) {
                Ok(socket) => sockets.add(address.clone(), socket),
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

    /// Takes the files of unix sockets away, but for those that the others have too.
    pub(super) fn remove_files(&self, others: &Self) {
        for (address, _) in &self.0 {
            if let (ListenAddress::Unix(path), None) = (address, others.at(address)) {
                // That it is gone already is no matter.
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Second descriptors of the sockets, by the index of the configuration's listener.
    pub(super) fn share(&self, wanted: &Wanted) -> io::Result<proxy::Listening> {
        let share = |wanted: &Option<(ListenAddress, Options)>| {
            wanted.as_ref().and_then(|(address, _)| self.at(address)).map(TcpListener::try_clone).transpose()
        };
        wanted.iter().map(share).collect()
    }

    fn at(&self, address: &ListenAddress) -> Option<&TcpListener> {
        self.0.iter().find(|(own, _)| own == address).map(|(_, socket)| socket)
    }

    fn open(&self, address: &ListenAddress, options: &Options) -> io::Result<TcpListener> {
        let Some(open) = self.at(address) else {
            return match address {
                ListenAddress::Ip(address) => net::listen::open_with(*address, options),
                ListenAddress::Unix(path) => open_unix(path, options),
            };
        };
        // The length of the queue may be another one now; that it listens already is no matter.
        listen(open, i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
        open.try_clone()
    }
}

/// Opens a unix socket that, as nginx's, everybody may connect to. A file that a program has left which is no more is
/// taken away.
fn open_unix(path: &Path, options: &Options) -> io::Result<TcpListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let address = SocketAddrUnix::new(path)?;
    match bind(&socket, &address) {
        Err(Errno::ADDRINUSE) if is_left_behind(path) => {
            fs::remove_file(path)?;
            bind(&socket, &address)?;
        }
        bound => bound?,
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    listen(&socket, i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Whether nobody listens at a unix socket's file.
fn is_left_behind(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    let refuses = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).is_err_and(|error| refuses(&error))
}
