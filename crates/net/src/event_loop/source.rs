//! A descriptor registered with the event loop: what is known of its readiness, and who waits for it.
//!
//! Registered once, edge-triggered: readiness is remembered until a call finds that there is none.
//!
//! What has come on connections whose tasks wait for it is read before any of those tasks runs: of one turn all reads
//! are made in a row, then all that is read is worked on, and what is small and whole is sent last
//! ([`Source::send_later`]). Each goes faster in a row than in turns with the others, for what a core has in its caches
//! of the one is not driven out by the other.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rustix::event::epoll;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::{current, try_current};
use crate::buffer::{BLOCK, Buffer};

/// What to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// A connection: both directions, and its end.
    Both,
    /// A timer.
    Read,
    /// A listening socket that several threads have registered: one of them is woken for each connection.
    ReadOneThread,
}

/// A registered descriptor. Closing it ends the registration; [`Source::deregister`] is for one that others share.
#[derive(Debug)]
pub(crate) struct Source {
    token: Cell<u64>,
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// The other side has closed, or the connection broke: reading tells, at any time.
    is_read_closed: Cell<bool>,
    /// The connection, where it is one: read from ahead of its task.
    socket: Option<socket2::Socket>,
    /// A task has found nothing to read, and waits.
    is_awaited: Cell<bool>,
    /// What was read ahead and not yet taken.
    ahead: RefCell<Buffer>,
    /// That was all there was.
    is_drained: Cell<bool>,
    /// What is to be sent when all tasks have run. The kernel's buffer, a block longer: a task takes it for sent.
    later: RefCell<Buffer>,
    /// Why that was not sent, and whether some of it was before.
    unsent: Cell<Option<(Errno, bool)>>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

impl Source {
    /// Registers a descriptor with this thread's event loop.
    pub(crate) fn register(fd: impl AsFd, interest: Interest) -> io::Result<Rc<Self>> {
        let source = Rc::new(Self::new(None));
        source.enter(fd, interest)?;
        Ok(source)
    }

    /// Registers a connection, which is closed with the last reference to this.
    pub(crate) fn connection(socket: socket2::Socket) -> io::Result<Rc<Self>> {
        let source = Rc::new(Self::new(Some(socket)));
        source.enter(source.socket(), Interest::Both)?;
        Ok(source)
    }

    fn new(socket: Option<socket2::Socket>) -> Self {
        Self {
            token: Cell::new(0),
            readable: Cell::new(false),
            writable: Cell::new(false),
            is_read_closed: Cell::new(false),
            socket,
            is_awaited: Cell::new(false),
            ahead: RefCell::default(),
            is_drained: Cell::new(false),
            later: RefCell::default(),
            unsent: Cell::new(None),
            reader: RefCell::default(),
            writer: RefCell::default(),
        }
    }

    fn enter(self: &Rc<Self>, fd: impl AsFd, interest: Interest) -> io::Result<()> {
        use epoll::EventFlags as F;
        let flags = match interest {
            Interest::Both => F::IN | F::OUT | F::RDHUP | F::ET,
            Interest::Read => F::IN | F::ET,
            Interest::ReadOneThread => F::IN | F::ET | F::EXCLUSIVE,
        };
        current(|event_loop| {
            let token = event_loop.sources.borrow_mut().insert(|_| Rc::clone(self));
            self.token.set(token);
            let added = epoll::add(&event_loop.epoll, fd, epoll::EventData::new_u64(token), flags);
            if added.is_err() {
                event_loop.sources.borrow_mut().remove(token);
            }
            Ok(added?)
        })
    }

    /// The connection.
    ///
    /// # Panics
    /// Where it is none.
    pub(crate) fn socket(&self) -> &socket2::Socket {
        self.socket.as_ref().expect("a source made of a connection has it")
    }

    /// A socket that has just been accepted or connected takes bytes, without the loop being asked first.
    pub(crate) fn assume_writable(&self) {
        self.writable.set(true);
    }

    /// Forgets the registration: of a descriptor that is closed now.
    pub(crate) fn forget(&self) {
        try_current(|event_loop| {
            let source = event_loop.sources.borrow_mut().remove(self.token.get());
            drop(source);
        });
    }

    /// Ends the registration of a descriptor that other descriptors share: closing this one would not.
    pub(crate) fn deregister(&self, fd: impl AsFd) {
        try_current(|event_loop| {
            let _ = epoll::delete(&event_loop.epoll, fd);
        });
        self.forget();
    }

    /// The kernel told of events.
    pub(super) fn happened(&self, flags: epoll::EventFlags) {
        use epoll::EventFlags as F;
        if flags.intersects(F::IN | F::RDHUP | F::HUP | F::ERR) {
            self.is_drained.set(false);
            if flags.intersects(F::RDHUP | F::HUP | F::ERR) {
                self.is_read_closed.set(true);
            } else if self.is_awaited.replace(false) {
                self.read_ahead();
            }
            self.readable.set(true);
            wake(&self.reader);
        }
        // Told of with every event; of interest to nobody unless the socket was full.
        if flags.intersects(F::OUT | F::HUP | F::ERR) && !self.writable.replace(true) {
            self.send_now();
            if self.writable.get() {
                wake(&self.writer);
            }
        }
    }

    /// Has bytes sent when all tasks of this turn have run; false, and nothing done, where they had better be sent at
    /// once: they are many, the socket takes none now, or others wait already.
    pub(crate) fn send_later(self: &Rc<Self>, bytes: &[u8]) -> bool {
        let mut later = self.later.borrow_mut();
        if !self.writable.get() || !later.is_empty() || bytes.len() > BLOCK {
            return false;
        }
        later.append(bytes);
        current(|event_loop| event_loop.to_send.borrow_mut().push(Rc::clone(self)));
        true
    }

    /// Sends what waits, as far as the socket takes it; the rest goes when it takes more.
    pub(crate) fn send_now(&self) {
        let (Some(socket), mut later) = (&self.socket, self.later.borrow_mut()) else { return };
        let whole = later.len();
        while !later.is_empty() {
            match send(socket, later.data(), SendFlags::NOSIGNAL) {
                Ok(n) => later.consume(n),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.writable.set(false);
                    return;
                }
                Err(error) => {
                    self.unsent.set(Some((error, later.len() < whole)));
                    later.clear();
                    // Whoever waits for an answer learns of it by reading.
                    self.readable.set(true);
                    wake(&self.reader);
                }
            }
        }
        later.release_if_empty();
    }

    /// Whether nothing waits to be sent; if something does, the task is woken when it was.
    pub(crate) fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.send_now();
        if let Some((error, _)) = self.unsent.take() {
            return Poll::Ready(Err(error.into()));
        }
        if self.later.borrow().is_empty() {
            return Poll::Ready(Ok(()));
        }
        wait(&self.writer, cx);
        Poll::Pending
    }

    /// Why what was to be sent later was not, and whether some of it was before.
    #[inline]
    pub(crate) fn take_unsent(&self) -> Option<(Errno, bool)> {
        self.unsent.take()
    }

    /// Reads what has come, for a task that is about to run. An end or an error is left for it to find.
    fn read_ahead(&self) {
        let (Some(socket), mut ahead) = (&self.socket, self.ahead.borrow_mut()) else { return };
        if !ahead.is_empty() {
            return;
        }
        let room = ahead.spare();
        let size = room.len();
        match recv(socket, room, RecvFlags::empty()) {
            Ok((n, _)) if n > 0 => {
                ahead.filled(n);
                // Less than there was room for is all there was.
                self.is_drained.set(n < size);
            }
            _ => ahead.release_if_empty(),
        }
    }

    /// Moves what was read ahead into a buffer, which must have room; how much that was, 0 where there is nothing.
    pub(crate) fn take_ahead(&self, into: &mut Buffer) -> usize {
        let mut ahead = self.ahead.borrow_mut();
        if ahead.is_empty() {
            return 0;
        }
        let n = into.take_from(&mut ahead);
        if ahead.is_empty() {
            ahead.release_if_empty();
            if self.is_drained.get() {
                self.clear_readable();
            }
        }
        n
    }

    /// Something may have come of which the kernel told somebody else.
    pub(crate) fn may_be_readable(&self) {
        self.readable.set(true);
        wake(&self.reader);
    }

    /// Whether there may be something to read; if not, the task is woken when there is.
    #[inline]
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.readable.get() {
            return Poll::Ready(());
        }
        self.is_awaited.set(true);
        wait(&self.reader, cx);
        Poll::Pending
    }

    /// Whether there may be room to write; if not, the task is woken when there is.
    #[inline]
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.writable.get() {
            return Poll::Ready(());
        }
        wait(&self.writer, cx);
        Poll::Pending
    }

    /// There was nothing (more) to read: what comes next is told of.
    pub(crate) fn clear_readable(&self) {
        self.readable.set(self.is_read_closed.get());
    }

    /// Calls `read` when there may be something to read, until there is.
    pub(crate) fn poll_read<T>(
        &self,
        cx: &mut Context<'_>,
        mut read: impl FnMut() -> Result<T, Errno>,
    ) -> Poll<io::Result<T>> {
        while self.poll_readable(cx).is_ready() {
            match read() {
                // Not even where the other side has closed: then the end has been read, or will be told of.
                Err(Errno::AGAIN) => self.readable.set(false),
                Err(Errno::INTR) => {}
                done => return Poll::Ready(done.map_err(Into::into)),
            }
        }
        Poll::Pending
    }

    /// Calls `write` when there may be room to write, until there is.
    pub(crate) fn poll_write<T>(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut() -> Result<T, Errno>,
    ) -> Poll<io::Result<T>> {
        while self.poll_writable(cx).is_ready() {
            match write() {
                Err(Errno::AGAIN) => self.writable.set(false),
                Err(Errno::INTR) => {}
                done => return Poll::Ready(done.map_err(Into::into)),
            }
        }
        Poll::Pending
    }
}

fn wait(place: &RefCell<Option<Waker>>, cx: &Context<'_>) {
    let mut place = place.borrow_mut();
    match &mut *place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}

fn wake(place: &RefCell<Option<Waker>>) {
    // It stays: the same task will most likely wait here again.
    if let Some(waker) = &*place.borrow() {
        waker.wake_by_ref();
    }
}
