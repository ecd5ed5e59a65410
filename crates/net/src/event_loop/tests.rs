//! The loop itself: who is woken, from where, and what a panic or an abort leaves behind.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::*;

/// Says when it is dropped.
struct Told(Rc<Cell<bool>>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn tasks_run_in_the_order_they_were_woken_and_main_ends_the_rest() {
    let dropped = Rc::new(Cell::new(false));
    let told = Told(Rc::clone(&dropped));
    let order = block_on(async move {
        let (to, mut from) = mpsc::unbounded_channel();
        for number in 0..3 {
            let to = to.clone();
            spawn(async move { to.send(number).unwrap() });
        }
        spawn(async move {
            let _told = told;
            pending::<()>().await;
        });
        [from.recv().await, from.recv().await, from.recv().await]
    });
    assert_eq!(order.unwrap(), [Some(0), Some(1), Some(2)]);
    assert!(dropped.get(), "a task that never ends goes with the loop");
}

#[test]
fn a_panic_ends_its_own_task() {
    block_on(async {
        let (to, from) = oneshot::channel::<()>();
        spawn(async move {
            let _to = to;
            panic!("on purpose");
        });
        assert!(from.await.is_err(), "what the task held is dropped");
        yield_now().await;
    })
    .unwrap();
}

#[test]
fn an_aborted_task_is_dropped_at_once() {
    block_on(async {
        let dropped = Rc::new(Cell::new(false));
        let told = Told(Rc::clone(&dropped));
        let task = spawn(async move {
            let _told = told;
            pending::<()>().await;
        });
        yield_now().await;
        task.abort();
        assert!(dropped.get());
    })
    .unwrap();
}

#[test]
fn other_threads_wake_it() {
    let (to_main, mut from_main) = mpsc::unbounded_channel();
    let (to, mut from) = mpsc::unbounded_channel();
    let other = std::thread::spawn(move || {
        for _ in 0..1000 {
            let number: u32 = from_main.blocking_recv().unwrap();
            to.send(number + 1).unwrap();
        }
    });
    let last = block_on(async {
        let mut number = 0;
        for _ in 0..1000 {
            to_main.send(number).unwrap();
            number = from.recv().await.unwrap();
        }
        number
    });
    assert_eq!(last.unwrap(), 1000);
    other.join().unwrap();
}

#[test]
fn a_sleep_lasts_as_long_as_asked_and_a_timeout_cuts_short() {
    block_on(async {
        let start_ns = clock::now_ns();
        sleep(Duration::from_millis(20)).await;
        assert!(clock::now_ns() - start_ns >= 20_000_000);
        assert_eq!(timeout(Duration::from_millis(5), pending::<()>()).await, Err(Elapsed));
        assert_eq!(timeout(Duration::from_secs(60), async { 7 }).await, Ok(7));
    })
    .unwrap();
}

#[test]
fn a_task_that_wakes_itself_does_not_keep_the_others_waiting() {
    block_on(async {
        spawn(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        sleep(Duration::from_millis(3)).await;
    })
    .unwrap();
}

#[test]
fn a_loop_can_follow_a_loop_on_one_thread() {
    for round in 0..3 {
        assert_eq!(block_on(async move { round }).unwrap(), round);
    }
}
