//! An exact timer: the event loop's own steps are a millisecond, a request that is due wants microseconds.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::clock;
use crate::event_loop::{Interest, Source};

/// A timerfd of this thread's event loop.
#[derive(Debug)]
pub struct Timer {
    fd: OwnedFd,
    source: Rc<Source>,
}

impl Timer {
    /// A timer that is not set.
    pub fn new() -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let source = Source::register(&fd, Interest::Read)?;
        Ok(Self { fd, source })
    }

    /// Waits until [`clock::now_ns`] reaches `at_ns`; returns at once if it has.
    pub async fn until(&mut self, at_ns: u64) -> io::Result<()> {
        while clock::now_ns() < at_ns {
            self.arm(at_ns)?;
            self.source.clear_readable();
            poll_fn(|cx| self.source.poll_readable(cx)).await;
        }
        Ok(())
    }

    /// Setting the timer also takes back an expiry that nobody read, so it need not be read.
    fn arm(&self, at_ns: u64) -> io::Result<()> {
        let at =
            Timespec { tv_sec: (at_ns / 1_000_000_000).cast_signed(), tv_nsec: (at_ns % 1_000_000_000).cast_signed() };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &once)?;
        Ok(())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.source.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_wakes_at_its_time_and_not_before() {
        crate::event_loop::block_on(async {
            let mut timer = Timer::new().unwrap();
            for step_ns in [0, 300_000, 2_000_000] {
                let at_ns = clock::now_ns() + step_ns;
                timer.until(at_ns).await.unwrap();
                assert!(clock::now_ns() >= at_ns);
            }
        })
        .unwrap();
    }
}
