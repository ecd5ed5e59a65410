//! A descriptor registered with the event loop: what is known of its readiness, and who waits for it.
//!
//! Registered once, edge-triggered: readiness is remembered until a call finds that there is none.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rustix::event::epoll;
use rustix::fd::AsFd;
use rustix::io::Errno;

use super::{current, try_current};

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
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

impl Source {
    /// Registers a descriptor with this thread's event loop.
    pub(crate) fn register(fd: impl AsFd, interest: Interest) -> io::Result<Rc<Self>> {
        use epoll::EventFlags as F;
        let flags = match interest {
            Interest::Both => F::IN | F::OUT | F::RDHUP | F::ET,
            Interest::Read => F::IN | F::ET,
            Interest::ReadOneThread => F::IN | F::ET | F::EXCLUSIVE,
        };
        let source = Rc::new(Self {
            token: Cell::new(0),
            readable: Cell::new(false),
            writable: Cell::new(false),
            is_read_closed: Cell::new(false),
            reader: RefCell::default(),
            writer: RefCell::default(),
        });
        current(|event_loop| {
            let token = event_loop.sources.borrow_mut().insert(|_| Rc::clone(&source));
            source.token.set(token);
            let added = epoll::add(&event_loop.epoll, fd, epoll::EventData::new_u64(token), flags);
            if added.is_err() {
                event_loop.sources.borrow_mut().remove(token);
            }
            added
        })?;
        Ok(source)
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
            if flags.intersects(F::RDHUP | F::HUP | F::ERR) {
                self.is_read_closed.set(true);
            }
            self.readable.set(true);
            wake(&self.reader);
        }
        if flags.intersects(F::OUT | F::HUP | F::ERR) {
            self.writable.set(true);
            wake(&self.writer);
        }
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
