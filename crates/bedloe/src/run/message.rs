//! What a master and its worker tell each other.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::admin::AdminListener;
use super::channel::Frame;
use super::codec::{Reader, Torn, Writer};
use super::record::Understood;

/// From the master.
#[derive(Debug)]
pub(super) enum Order {
    /// Serve this configuration, in place of the one before where there was one.
    Serve(Box<Assignment>),
    /// Write to these files from now on.
    Reopen(Vec<(PathBuf, File)>),
    /// A change of the configuration came to nothing, and why: it counts them.
    Note { refused: String },
    /// Accept no more and end with the last connection. The admin socket answers on, or not.
    Drain { keep_admin: bool },
    /// End now.
    Stop,
}

/// A configuration with the sockets and files that the worker could not open itself.
#[derive(Debug)]
pub(super) struct Assignment {
    /// Counts the master's configurations.
    pub(super) number: u64,
    pub(super) understood: Understood,
    /// By the index of the configuration's listener.
    pub(super) listeners: Vec<Option<TcpListener>>,
    pub(super) logs: Vec<(PathBuf, File)>,
    pub(super) admin: Vec<AdminListener>,
    /// Workers that died and were replaced, before this one.
    pub(super) respawned: u64,
}

/// From the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Report {
    /// All threads serve that configuration.
    Serving { number: u64 },
    /// It cannot serve that configuration and goes on as before.
    Refused { number: u64, why: String },
}

const SERVE: u32 = 1;
const REOPEN: u32 = 2;
const DRAIN: u32 = 3;
const STOP: u32 = 4;
const SERVING: u32 = 5;
const REFUSED: u32 = 6;
const NOTE: u32 = 7;

impl Order {
    pub(super) fn into_frame(self) -> Frame {
        let mut to = Writer::default();
        let (kind, files) = match self {
            Self::Serve(assignment) => (SERVE, assignment.write(&mut to)),
            Self::Reopen(logs) => (REOPEN, write_logs(&mut to, logs)),
            Self::Drain { keep_admin } => {
                to.number(u64::from(keep_admin));
                (DRAIN, Vec::new())
            }
            Self::Note { refused } => {
                to.text(&refused);
                (NOTE, Vec::new())
            }
            Self::Stop => (STOP, Vec::new()),
        };
        Frame { kind, bytes: to.end(), files }
    }

    pub(super) fn from_frame(frame: Frame) -> Result<Self, Torn> {
        let mut from = Reader::new(&frame.bytes);
        let mut files = frame.files.into_iter();
        match frame.kind {
            SERVE => Ok(Self::Serve(Box::new(Assignment::read(&mut from, &mut files)?))),
            REOPEN => Ok(Self::Reopen(read_logs(&mut from, &mut files)?)),
            DRAIN => Ok(Self::Drain { keep_admin: from.number()? != 0 }),
            NOTE => Ok(Self::Note { refused: from.text()? }),
            STOP => Ok(Self::Stop),
            _ => Err(Torn),
        }
    }
}

impl Assignment {
    fn write(self, to: &mut Writer) -> Vec<OwnedFd> {
        let Self { number, understood, listeners, logs, admin, respawned } = self;
        to.number(number).number(respawned);
        understood.write(to);
        to.list(listeners.iter(), |w, listener| {
            w.number(u64::from(listener.is_some()));
        });
        to.list(admin.iter(), |w, _| {
            w.number(1);
        });
        let mut files: Vec<OwnedFd> = listeners.into_iter().flatten().map(OwnedFd::from).collect();
        files.extend(admin.into_iter().map(OwnedFd::from));
        files.extend(write_logs(to, logs));
        files
    }

    fn read(from: &mut Reader<'_>, files: &mut impl Iterator<Item = OwnedFd>) -> Result<Self, Torn> {
        let (number, respawned) = (from.number()?, from.number()?);
        let understood = Understood::read(from)?;
        let mut file = |is_there: u64| if is_there == 0 { Ok(None) } else { files.next().ok_or(Torn).map(Some) };
        let listeners =
            from.list(Reader::number)?.into_iter().map(|is_there| Ok(file(is_there)?.map(TcpListener::from)));
        let listeners = listeners.collect::<Result<_, Torn>>()?;
        let admin = from.list(Reader::number)?.into_iter().map(|is_there| file(is_there)?.ok_or(Torn));
        let admin = admin.map(|socket| socket.map(AdminListener::from)).collect::<Result<_, Torn>>()?;
        let logs = read_logs(from, files)?;
        Ok(Self { number, understood, listeners, logs, admin, respawned })
    }
}

fn write_logs(to: &mut Writer, logs: Vec<(PathBuf, File)>) -> Vec<OwnedFd> {
    to.list(logs.iter(), |w, (path, _)| {
        w.path(path);
    });
    logs.into_iter().map(|(_, file)| file.into()).collect()
}

fn read_logs(from: &mut Reader<'_>, files: &mut impl Iterator<Item = OwnedFd>) -> Result<Vec<(PathBuf, File)>, Torn> {
    let paths = from.list(Reader::path)?;
    paths.into_iter().map(|path| Ok((path, files.next().ok_or(Torn)?.into()))).collect()
}

impl Report {
    /// Its kind and bytes.
    pub(super) fn write(&self) -> (u32, Vec<u8>) {
        let mut to = Writer::default();
        match self {
            Self::Serving { number } => (SERVING, to.number(*number).end()),
            Self::Refused { number, why } => (REFUSED, to.number(*number).text(why).end()),
        }
    }

    pub(super) fn from_frame(frame: &Frame) -> Result<Self, Torn> {
        let mut from = Reader::new(&frame.bytes);
        match frame.kind {
            SERVING => Ok(Self::Serving { number: from.number()? }),
            REFUSED => Ok(Self::Refused { number: from.number()?, why: from.text()? }),
            _ => Err(Torn),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn orders_and_reports_arrive_as_they_were_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let log = tempfile::tempfile().unwrap();
        let order = Order::Serve(Box::new(Assignment {
            number: 9,
            understood: Understood::default(),
            listeners: vec![None, Some(listener)],
            logs: vec![(PathBuf::from("/log"), log)],
            admin: vec![std::net::TcpListener::bind("127.0.0.1:0").unwrap()]
                .into_iter()
                .map(AdminListener::Tcp)
                .collect(),
            respawned: 2,
        }));
        let Order::Serve(read) = Order::from_frame(order.into_frame()).unwrap() else { panic!("another order") };
        assert_eq!((read.number, read.respawned), (9, 2));
        assert!(read.listeners[0].is_none() && matches!(read.admin[..], [AdminListener::Tcp(_)]));
        assert_eq!(read.listeners[1].as_ref().unwrap().local_addr().unwrap(), address);
        assert_eq!(read.logs[0].0, PathBuf::from("/log"));
        let drain = Order::Drain { keep_admin: true }.into_frame();
        assert!(matches!(Order::from_frame(drain), Ok(Order::Drain { keep_admin: true })));
        let note = Order::Note { refused: "errors".to_owned() }.into_frame();
        assert!(matches!(Order::from_frame(note), Ok(Order::Note { refused }) if refused == "errors"));
        for report in [Report::Serving { number: 3 }, Report::Refused { number: 4, why: "x".to_owned() }] {
            let (kind, bytes) = report.write();
            assert_eq!(Report::from_frame(&Frame { kind, bytes, files: Vec::new() }), Ok(report));
        }
    }
}
