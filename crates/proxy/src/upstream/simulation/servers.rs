//! What the simulated servers do, and the connections to them.

use std::cell::Cell;
use std::rc::Rc;

use super::random::Random;
use crate::upstream::pool::Quiet;

/// What a server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Alive,
    /// Connections are refused, those that there were are gone.
    Dead,
    /// Nothing comes back, not even a refusal.
    Unreachable,
    /// Takes requests and never answers.
    Hanging,
    /// Answers 503.
    Failing,
    /// Takes the request and closes without an answer.
    Cutting,
    /// Answers what is no HTTP.
    Babbling,
}

impl Health {
    pub(super) const ALL: [Self; 7] =
        [Self::Alive, Self::Dead, Self::Unreachable, Self::Hanging, Self::Failing, Self::Cutting, Self::Babbling];
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) health: Health,
    /// How long it keeps a connection that nobody uses (Liberty's persistTimeout).
    pub(super) idle_ms: u64,
    /// Answers take up to this long.
    pub(super) latency_ms: u64,
    /// Percent of answers that come later than anybody waits.
    pub(super) late_percent: u64,
    /// Percent of answers that say that the connection closes.
    pub(super) closing_percent: u64,
    wires: Vec<Rc<Wire>>,
}

impl Server {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            health: Health::Alive,
            idle_ms: random.one_of(&[50, 300, 2_000, 30_000]),
            latency_ms: random.one_of(&[1, 20, 400]),
            late_percent: random.one_of(&[0, 0, 2]),
            closing_percent: random.one_of(&[0, 0, 10]),
            wires: Vec::new(),
        }
    }

    /// Turns into something else; a death takes the connections with it.
    pub(super) fn turn(&mut self, health: Health, now_ms: u64) {
        self.health = health;
        self.wires.retain(|wire| wire.closed().is_none());
        if health == Health::Dead {
            for wire in self.wires.drain(..) {
                wire.close(now_ms, Closed::ByDeath);
            }
        }
    }

    /// Is well from now on, and quick.
    pub(super) fn heal(&mut self) {
        self.health = Health::Alive;
        self.latency_ms = self.latency_ms.min(20);
        self.late_percent = 0;
    }

    /// Takes a connection, unless it has died since it was asked.
    pub(super) fn accept(&mut self, wire: &Rc<Wire>, now_ms: u64) {
        if self.health == Health::Dead {
            wire.close(now_ms, Closed::ByDeath);
        } else {
            self.wires.push(Rc::clone(wire));
        }
    }
}

/// Why a server closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    ByDeath,
    /// Nobody used it for a while.
    ForIdleness,
    /// In place of an answer, or behind one.
    AtWill,
}

/// A connection between the balancer and a server, as both see it.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) peer: usize,
    closed: Cell<Option<(u64, Closed)>>,
    /// Requests that came over it: tells a connection that was idle all the time from one that was used meanwhile.
    pub(super) used: Cell<u64>,
    /// When the balancer last put it into its pool.
    pub(super) given_ms: Cell<u64>,
    /// A request is under way on it.
    pub(super) is_busy: Cell<bool>,
    delay_ms: u64,
    clock: Rc<Cell<u64>>,
}

impl Wire {
    pub(super) fn new(peer: usize, delay_ms: u64, clock: &Rc<Cell<u64>>) -> Self {
        let clock = Rc::clone(clock);
        Self {
            peer,
            closed: Cell::new(None),
            used: Cell::new(0),
            given_ms: Cell::new(0),
            is_busy: Cell::new(false),
            delay_ms,
            clock,
        }
    }

    pub(super) fn close(&self, now_ms: u64, why: Closed) {
        if self.closed.get().is_none() {
            self.closed.set(Some((now_ms, why)));
        }
    }

    pub(super) fn closed(&self) -> Option<Closed> {
        self.closed.get().map(|(_, why)| why)
    }

    /// Whether the balancer can know that it is closed: word of it has had time to come.
    pub(super) fn is_seen_closed(&self) -> bool {
        self.closed.get().is_some_and(|(closed_ms, _)| self.clock.get() >= closed_ms + self.delay_ms)
    }
}

/// The balancer's end, which lies in the pool.
#[derive(Debug)]
pub(super) struct End(pub(super) Rc<Wire>);

impl Quiet for End {
    fn is_quiet(&mut self) -> bool {
        assert!(!self.0.is_busy.get(), "a connection in the pool carries a request");
        !self.0.is_seen_closed()
    }
}
