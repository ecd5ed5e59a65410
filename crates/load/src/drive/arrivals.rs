//! Iterations that arrive: each start is handed to an idle user when it is due, or dropped.

use std::io;
use std::rc::Rc;

use net::clock::now_ns;
use net::event_loop;
use net::timer::Timer;

use super::Scene;
use crate::plan::{Source, Users};
use crate::pool::{Pool, Taken};
use crate::reserve;
use crate::schedule::{Schedule, Share};
use crate::seat::{Order, Seat};
use crate::user::User;
use crate::worker::Message;

/// Starts due within this time go out in one wake-up, which saves most of the wake-ups and delays a start by at most
/// half a millisecond, the wake-up itself included.
const BATCH_NS: u64 = 400_000;
/// Starts handed out before users get their turn, when many are due: enough to be quick, few enough to stay responsive.
const MOST_AT_ONCE: usize = 256;

/// Hands out this thread's starts as they become due, to the end of the schedule.
pub(super) async fn run(scene: &Rc<Scene>, schedule: &Schedule, users: Users) -> io::Result<()> {
    let promised = match users {
        Users::Promised { pre_allocated, .. } => {
            pre_allocated / scene.threads + u32::from(scene.thread < pre_allocated % scene.threads)
        }
        Users::OnDemand => 0,
    };
    let pool = Rc::new(Pool::new(promised));
    if matches!(scene.desk.plan.source, Source::Script(_)) {
        pool.want(reserve::wanted(&scene.scenario().executor, scene.threads, 0));
        event_loop::spawn(stock(Rc::clone(scene), Rc::clone(&pool)));
    }
    let mut timer = Timer::new()?;
    let mut share = Share::new(schedule, u64::from(scene.thread), u64::from(scene.threads)).peekable();
    while let Some((_, due_ns)) = share.peek() {
        timer.until(scene.start_ns + due_ns + BATCH_NS).await?;
        let now = now_ns().saturating_sub(scene.start_ns);
        let mut started = 0;
        while started < MOST_AT_ONCE
            && let Some((number, due_ns)) = share.next_if(|(_, due_ns)| *due_ns <= now)
        {
            start(scene, &pool, Order { number, due_ns: Some(scene.start_ns + due_ns) });
            started += 1;
        }
        pool.want(reserve::wanted(&scene.scenario().executor, scene.threads, scene.active.get()));
        // Otherwise the wait for the next one is their turn.
        if started == MOST_AT_ONCE {
            event_loop::yield_now().await;
        }
    }
    pool.close();
    timer.until(scene.start_ns + schedule.duration_ns()).await
}

fn start(scene: &Rc<Scene>, pool: &Rc<Pool>, order: Order) {
    match pool.take(&scene.shared().budget) {
        Taken::Idle(seat) => {
            scene.begin();
            seat.start(order);
        }
        Taken::New { seat, is_extra } => {
            count_extra(scene, is_extra);
            scene.begin();
            seat.start(order);
            add(scene, pool, seat);
        }
        Taken::Dropped { new, warning } => {
            scene.desk.recorder.dropped(1, scene.tags);
            if let Some(seat) = new {
                count_extra(scene, true);
                add(scene, pool, seat);
            }
            if let Some(warning) = warning {
                scene.tell(Message::Warning(warning));
            }
        }
    }
}

fn count_extra(scene: &Scene, is_extra: bool) {
    scene.desk.live.extra_users.add(u64::from(is_extra));
    scene.live().extra_users.add(u64::from(is_extra));
}

fn add(scene: &Rc<Scene>, pool: &Rc<Pool>, seat: Rc<Seat>) {
    scene.join(&seat);
    let user = scene.desk.hire();
    event_loop::spawn(serve(Rc::clone(scene), Rc::clone(pool), seat, user));
}

/// Makes users ahead of demand, one at a time, and lets others have their turn in between.
async fn stock(scene: Rc<Scene>, pool: Rc<Pool>) {
    while let Some((seat, is_extra)) = pool.ahead(&scene.shared().budget).await {
        if scene.stopped.get() {
            return;
        }
        count_extra(&scene, is_extra);
        scene.join(&seat);
        let mut user = scene.desk.hire();
        user.prepare(&seat).await;
        pool.put_last(Rc::clone(&seat));
        event_loop::spawn(serve(Rc::clone(&scene), Rc::clone(&pool), seat, user));
        event_loop::yield_now().await;
    }
}

/// Does iterations until the scenario is over.
async fn serve(scene: Rc<Scene>, pool: Rc<Pool>, seat: Rc<Seat>, mut user: User) {
    while let Some(order) = seat.next().await {
        scene.iterate(&mut user, order, &seat).await;
        pool.put(Rc::clone(&seat));
        scene.end();
    }
    scene.leave(user);
}
