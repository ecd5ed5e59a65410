//! Users made ahead of demand, their init code included, so that no iteration waits for either: some before the test
//! begins, and more while it runs, in proportion to those in use.
//!
//! Making a user of a script takes some 0.2 ms and 150 KiB, so users that are promised (`preAllocatedVUs`) are not all
//! made at once. They are where init code is slow, or has something to say: k6 runs it for all of them.

use std::rc::Rc;

use net::clock::now_ns;
use net::event_loop;
use tokio::sync::watch;

use crate::desk::Desk;
use crate::drive::stopped;
use crate::plan::{Executor, Source, Users};
use crate::seat::Seat;
use crate::user::User;
use crate::worker::Phase;

/// Init code that takes longer than this is run before the test for all users.
const SLOW_INIT_NS: u64 = 5_000_000;
/// Idle users are enough for this much of the highest rate ...
const AHEAD_S: f64 = 0.02;
/// ... between these.
const FEWEST: u32 = 16;
const MOST: u32 = 256;
/// Of the users in use, one idle one for so many.
const IN_USE_PER_IDLE: u64 = 4;

/// A thread, and how many there are.
pub(crate) type Place = (u32, u32);

/// Makes the users of one thread that the test begins with.
pub(crate) async fn before_start(desk: &Rc<Desk>, place: Place, mut phase: watch::Receiver<Phase>) {
    let Source::Script(run) = &desk.plan.source else { return };
    let seat = Seat::default();
    let mut make = std::pin::pin!(async {
        let began_ns = now_ns();
        let first = ready(desk, &seat).await;
        let makes_all = now_ns() - began_ns > SLOW_INIT_NS || run.script.program.init_speaks();
        let mut users = vec![first];
        let count = desk.plan.users_at_once(|executor| share(executor, place, makes_all));
        // With few users some threads have none.
        while users.len() < count as usize && !desk.is_aborted() {
            users.push(ready(desk, &seat).await);
            event_loop::yield_now().await;
        }
        // The first one made is the first one hired.
        users.into_iter().rev().for_each(|user| desk.release(user));
    });
    tokio::select! {
        biased;
        () = &mut make => {}
        () = stopped(&mut phase) => seat.cut_off(),
    }
}

async fn ready(desk: &Rc<Desk>, seat: &Seat) -> User {
    let mut user = desk.hire();
    user.prepare(seat).await;
    user
}

/// How many users of a scenario a thread makes before the start.
fn share(executor: &Executor, (thread, threads): Place, makes_all: bool) -> u32 {
    let part = |users: u32| users / threads + u32::from(thread < users % threads);
    match executor {
        Executor::Arrivals { users, .. } => match users {
            Users::Promised { pre_allocated, .. } if makes_all => part(*pre_allocated),
            Users::Promised { pre_allocated, .. } => part(*pre_allocated).min(least(executor, threads)),
            Users::OnDemand => least(executor, threads),
        },
        Executor::Looping(looping) => part(looping.users()),
    }
}

/// The fewest idle users that a thread keeps.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn least(executor: &Executor, threads: u32) -> u32 {
    let ahead = executor.peak_per_s() / f64::from(threads.max(1)) * AHEAD_S;
    (ahead.ceil() as u32).clamp(FEWEST, MOST)
}

/// How many idle users a thread keeps with so many in use.
pub(crate) fn wanted(executor: &Executor, threads: u32, in_use: u64) -> usize {
    usize::try_from(u64::from(least(executor, threads)).max(in_use / IN_USE_PER_IDLE)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::schedule::{ConstantArrivalRate, ConstantVus, Looping, Schedule};

    #[test]
    fn few_are_made_before_the_start_unless_init_code_is_slow() {
        let arrivals = |rate, pre_allocated| {
            let schedule = ConstantArrivalRate::new(rate, 1_000_000_000, 1_000_000_000).unwrap();
            let users = Users::Promised { pre_allocated, max: 6000 };
            Executor::Arrivals { schedule: Schedule::Constant(schedule), users }
        };
        assert_eq!(share(&arrivals(8000, 1200), (0, 1), false), 160);
        assert_eq!(share(&arrivals(8000, 1200), (0, 2), false), 80);
        assert_eq!(share(&arrivals(10, 1200), (0, 1), false), FEWEST);
        assert_eq!(share(&arrivals(10, 3), (0, 2), false), 2);
        assert_eq!(share(&arrivals(10, 3), (1, 2), false), 1);
        assert_eq!(share(&arrivals(8000, 1201), (1, 2), true), 600);
        let looping = Executor::Looping(Looping::ConstantVus(ConstantVus { users: 7, duration_ns: 1 }));
        assert_eq!(share(&looping, (0, 2), false), 4);
        assert_eq!(wanted(&arrivals(10, 3), 1, 400), 100);
    }
}
