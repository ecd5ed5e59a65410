//! What one thread of the data plane owns, and its connections share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use conf::tree::LogLevel;
use net::Deadline;

use crate::client::Client;
use crate::control::Control;
use crate::counters::ThreadCounters;
use crate::dates::Dates;
use crate::events::Events;
use crate::exchange::Exchange;
use crate::limits::EXCHANGES_KEPT;
use crate::log::{Failed, Logs, error_line, process_line, write_errors};
use crate::random::Random;
use crate::site::Site;

/// One thread's belongings.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) site: RefCell<Rc<Site>>,
    pub(crate) dates: RefCell<Dates>,
    pub(crate) random: RefCell<Random>,
    pub(crate) logs: RefCell<Logs>,
    pub(crate) counters: Arc<ThreadCounters>,
    /// Those of all threads.
    pub(crate) all: Arc<[Arc<ThreadCounters>]>,
    pub(crate) events: Events,
    /// The way to change what all threads serve.
    pub(crate) control: Control,
    /// The process drains: answers say `Connection: close`.
    pub(crate) is_draining: Cell<bool>,
    /// When the log last said that there are too many connections.
    pub(crate) pressure_told_ms: Cell<Option<u64>>,
    #[allow(clippy::vec_box, reason = "exchanges are handed out as they are kept: moving them would copy half a KiB")]
    exchanges: RefCell<Vec<Box<Exchange>>>,
    deadlines: RefCell<Vec<Deadline>>,
    next_connection: Cell<u64>,
    connection_step: u64,
}

impl Thread {
    pub(crate) fn new(
        index: usize,
        site: Rc<Site>,
        logs: Logs,
        all: Arc<[Arc<ThreadCounters>]>,
        (events, control): (Events, Control),
    ) -> Self {
        Self {
            site: RefCell::new(site),
            dates: RefCell::default(),
            random: RefCell::new(Random::new()),
            logs: RefCell::new(logs),
            counters: Arc::clone(&all[index]),
            events,
            control,
            is_draining: Cell::new(false),
            pressure_told_ms: Cell::new(None),
            exchanges: RefCell::default(),
            deadlines: RefCell::default(),
            next_connection: Cell::new(index as u64 + 1),
            connection_step: all.len() as u64,
            all,
        }
    }

    /// Writes a line about the process to the main error log.
    pub(crate) fn log_process(&self, level: LogLevel, what: &str) {
        let site = self.site.borrow();
        let (dates, logs) = (&mut *self.dates.borrow_mut(), &mut *self.logs.borrow_mut());
        let writer = |to: &_| site.snapshot.error_log(to);
        let append = |time: &str, out: &mut Vec<u8>| process_line(time, level, what, out);
        write_errors(site.snapshot.main_logs(), level, (dates, logs), writer, append);
    }

    /// Writes a line about a client's connection, before or between its requests, to its server's error log.
    pub(crate) fn log_client(&self, level: LogLevel, what: &str, client: &Client) {
        let server = client.site.default_server(client.listener);
        let targets = &server.settings.error_logs;
        let failed = Failed {
            level,
            what,
            connection: client.number,
            client: client.remote_text(),
            server: &server.name,
            request: b"",
            subrequest: b"",
            upstream: None,
            upstream_is_tls: false,
            upstream_target: b"",
            host: b"",
        };
        let writer = |to: &_| client.site.snapshot.error_log(to);
        let (dates, logs) = (&mut *self.dates.borrow_mut(), &mut *self.logs.borrow_mut());
        write_errors(targets, level, (dates, logs), writer, |time, out| error_line(time, &failed, out));
    }

    /// A number that no other connection of the process has.
    pub(crate) fn number_connection(&self) -> u64 {
        let number = self.next_connection.get();
        self.next_connection.set(number + self.connection_step);
        number
    }

    /// An exchange ready for a request.
    pub(crate) fn take_exchange(&self) -> Box<Exchange> {
        self.exchanges.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes an exchange back.
    pub(crate) fn give_exchange(&self, mut exchange: Box<Exchange>) {
        exchange.reset();
        exchange.request.clear();
        exchange.response.clear();
        let mut exchanges = self.exchanges.borrow_mut();
        if exchanges.len() < EXCHANGES_KEPT {
            exchanges.push(exchange);
        }
    }

    /// A deadline for a stream, which lives too short for one of its own: each is looked at for a while after its end.
    pub(crate) fn take_deadline(&self) -> Deadline {
        self.deadlines.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a deadline back.
    pub(crate) fn give_deadline(&self, deadline: Deadline) {
        deadline.clear();
        let mut deadlines = self.deadlines.borrow_mut();
        if deadlines.len() < EXCHANGES_KEPT {
            deadlines.push(deadline);
        }
    }
}

/// Counts a request for as long as it is under way, a panic included.
pub(crate) struct Writing(Rc<Thread>);

impl Writing {
    pub(crate) fn new(thread: &Rc<Thread>) -> Self {
        thread.counters.writing.add(1);
        Self(Rc::clone(thread))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.counters.writing.sub(1);
    }
}

/// Counts a connection for as long as the head of a request is being read.
pub(crate) struct Reading(Rc<Thread>);

impl Reading {
    pub(crate) fn new(thread: &Rc<Thread>) -> Self {
        thread.counters.reading.add(1);
        Self(Rc::clone(thread))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.counters.reading.sub(1);
    }
}
