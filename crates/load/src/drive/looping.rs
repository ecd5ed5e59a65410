//! Users that go round: each begins an iteration as soon as its last one is over, for as long as the executor says so.

use std::rc::Rc;
use std::time::Duration;

use net::clock::now_ns;
use net::event_loop;

use super::Scene;
use crate::plan::Executor;
use crate::schedule::{Looping, Next};
use crate::seat::{Order, Seat};

/// Where users come and go, what is to be cut off is looked for at least so often.
const LOOK_NS: u64 = 50_000_000;

/// Lets this thread's users go round until all of them are done, and cuts off what takes too long.
pub(super) async fn run(scene: &Rc<Scene>, executor: &Looping) {
    let mine = (scene.thread..executor.users()).step_by(scene.threads as usize);
    let seats: Vec<(u32, Rc<Seat>)> = mine.map(|number| (number, Rc::default())).collect();
    for (number, seat) in &seats {
        scene.join(seat);
        event_loop::spawn(go_round(Rc::clone(scene), *number, Rc::clone(seat)));
    }
    while scene.staff.get() > 0 {
        let now = scene.now_ns();
        let last_ns = executor.duration_ns().saturating_add(scene.scenario().graceful_stop_ns);
        let wait_ns = match executor {
            Looping::RampingVus(_) => LOOK_NS.min(last_ns.saturating_sub(now)).max(1_000_000),
            _ => last_ns.saturating_sub(now),
        };
        if event_loop::timeout(Duration::from_nanos(wait_ns), scene.all_gone.notified()).await.is_ok() {
            continue;
        }
        cut_off(scene, executor, &seats);
    }
}

fn cut_off(scene: &Scene, executor: &Looping, seats: &[(u32, Rc<Seat>)]) {
    let (now, graceful_ns) = (scene.now_ns(), scene.scenario().graceful_stop_ns);
    for (number, seat) in seats {
        let is_late = |began_ns| now >= executor.cut_off_ns(*number, began_ns, graceful_ns);
        if seat.began_ns().is_some_and(is_late) {
            scene.cut_off(seat);
        }
    }
}

async fn go_round(scene: Rc<Scene>, number: u32, seat: Rc<Seat>) {
    let Executor::Looping(executor) = &scene.scenario().executor else { return };
    let mut user = scene.desk.hire();
    let mut done = 0;
    // As in k6, also between two iterations.
    let mut is_active = false;
    while !scene.stopped.get() {
        match executor.next(number, scene.now_ns(), done, || scene.shared().take()) {
            Next::Begin => {
                if !std::mem::replace(&mut is_active, true) {
                    scene.begin();
                }
                let order = Order { number: scene.shared().next_number(), due_ns: None };
                scene.iterate(&mut user, order, &seat).await;
                done += 1;
                // An iteration that waits for nothing would keep the thread to itself.
                event_loop::yield_now().await;
            }
            Next::Wait(at_ns) => {
                if std::mem::take(&mut is_active) {
                    scene.end();
                }
                wait(&scene, &seat, at_ns).await;
            }
            Next::End => break,
        }
    }
    if is_active {
        scene.end();
    }
    if let Looping::PerVuIterations(executor) = executor {
        drop_rest(&scene, executor.iterations - done.min(executor.iterations));
    }
    scene.leave(user);
}

/// Waits for a time from the scenario's beginning, or for the end of the test.
async fn wait(scene: &Scene, seat: &Seat, at_ns: u64) {
    let wait_ns = (scene.start_ns + at_ns).saturating_sub(now_ns()).max(1);
    tokio::select! {
        () = event_loop::sleep(Duration::from_nanos(wait_ns)) => {}
        () = seat.until_cut_off() => {}
    }
}

/// Iterations that no user came to, where users share them.
pub(super) fn count_dropped(scene: &Scene) {
    drop_rest(scene, scene.shared().take_rest());
}

fn drop_rest(scene: &Scene, rest: u64) {
    if rest > 0 && !scene.desk.is_aborted() {
        scene.desk.recorder.dropped(rest, scene.tags);
    }
}
