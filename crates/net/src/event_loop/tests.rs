//! The loop itself: who is woken, from where, and what a panic or an abort leaves behind.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::*;

/// Random courses of one connection.
const SEEDS: u64 = 60;

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

/// A connection to write to from outside of the loop, and the loop's own end of it.
fn pair() -> (std::os::unix::net::UnixStream, crate::Stream) {
    let (far, near) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let socket = socket2::Socket::from(std::os::fd::OwnedFd::from(near));
    (far, crate::Stream::plain(crate::socket::Socket::new(socket).unwrap()))
}

#[test]
fn what_comes_in_pieces_and_the_end_are_read_once_each_and_in_order() {
    use std::io::Write;
    block_on(async {
        let (mut far, mut near) = pair();
        let mut buffer = crate::Buffer::new();
        for piece in [&b"one"[..], &[b'x'; crate::buffer::BLOCK], b"two"] {
            let waits = poll_fn(|cx| Poll::Ready(near.poll_read(cx, &mut buffer).is_pending()));
            assert!(waits.await, "nothing has come yet");
            far.write_all(piece).unwrap();
            // The loop looks at epoll meanwhile, and reads ahead of the task.
            yield_now().await;
            yield_now().await;
            let mut read = Vec::new();
            while read.len() < piece.len() {
                near.read(&mut buffer).await.unwrap();
                read.extend_from_slice(buffer.data());
                buffer = crate::Buffer::new();
            }
            assert!(read == piece, "{} bytes of {}", read.len(), piece.len());
        }
        let waits = poll_fn(|cx| Poll::Ready(near.poll_read(cx, &mut buffer).is_pending()));
        assert!(waits.await);
        far.write_all(b"last").unwrap();
        drop(far);
        yield_now().await;
        yield_now().await;
        assert_eq!((near.read(&mut buffer).await.unwrap(), buffer.data()), (4, &b"last"[..]));
        buffer.clear();
        assert_eq!(near.read(&mut buffer).await.unwrap(), 0, "the end");
    })
    .unwrap();
}

#[test]
fn what_was_read_ahead_is_no_silence_and_loses_nothing_to_a_small_buffer() {
    use std::io::Write;
    block_on(async {
        let (mut far, mut near) = pair();
        assert!(near.is_quiet());
        far.write_all(b"stray").unwrap();
        yield_now().await;
        yield_now().await;
        // Part of it fits behind what is in the buffer already; the rest stays, and comes before what is sent later.
        let mut buffer = crate::Buffer::new();
        let room = buffer.spare().len();
        buffer.filled(room - 2);
        assert_eq!(near.read(&mut buffer).await.unwrap(), 2);
        far.write_all(b"!").unwrap();
        yield_now().await;
        yield_now().await;
        assert!(!near.is_quiet(), "that question has read the rest");
    })
    .unwrap();
}

/// Numbers that look random (xorshift), the same ones for a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn one_of<const N: usize>(&mut self, numbers: [usize; N]) -> usize {
        numbers[self.below(N)]
    }
}

/// The byte at a place of what is sent.
fn byte_at(place: usize) -> u8 {
    (place % 251) as u8
}

/// Sends pieces of any size at any time, then the end, and reads into buffers with any room. Gives what was sent and
/// how much of it was read.
async fn whatever_comes(mut numbers: Numbers) -> (usize, usize) {
    use std::io::Write;
    let (far, mut near) = pair();
    far.set_nonblocking(true).unwrap();
    let (mut far, mut sent, mut read) = (Some(far), 0, 0);
    let mut buffer = crate::Buffer::new();
    loop {
        match (numbers.below(4), &mut far) {
            (0, Some(_)) if numbers.below(60) == 0 => far = None,
            (0, Some(open)) => {
                let length = numbers.one_of([1, 100, crate::buffer::BLOCK, crate::buffer::BLOCK + 1, 50_000]);
                let piece: Vec<u8> = (sent..sent + length).map(byte_at).collect();
                sent += open.write(&piece).unwrap_or(0);
            }
            (0 | 1, _) => yield_now().await,
            _ => {
                let is_due = read < sent && numbers.below(2) == 0;
                if is_due {
                    // The loop looks at epoll meanwhile.
                    yield_now().await;
                    yield_now().await;
                }
                // What is in the buffer already leaves this much room.
                let most = buffer.reserve(1).unwrap().len();
                let limit = numbers.one_of([1, 2, most]);
                buffer.filled(most - 1 - numbers.below(limit));
                let before = buffer.len();
                match poll_fn(|cx| Poll::Ready(near.poll_read(cx, &mut buffer))).await {
                    Poll::Pending => assert!(!is_due, "nobody is told of what has come"),
                    Poll::Ready(Ok(0)) => return (sent, read),
                    Poll::Ready(n) => {
                        let end = read + n.unwrap();
                        assert!((read..end).map(byte_at).eq(buffer.data()[before..].iter().copied()));
                        read = end;
                    }
                }
                buffer.clear();
                if numbers.below(2) == 0 {
                    buffer.release_if_empty();
                }
            }
        }
    }
}

#[test]
fn all_that_comes_is_read_once_and_in_order_whatever_the_pieces_and_the_room() {
    for seed in 1..=SEEDS {
        let numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (sent, read) = block_on(whatever_comes(numbers)).unwrap();
        assert_eq!(read, sent, "seed {seed}");
    }
}

/// What has come at the far end, without waiting.
fn come(far: &std::os::unix::net::UnixStream) -> Vec<u8> {
    use std::io::Read;
    far.set_nonblocking(true).unwrap();
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = (&*far).read(&mut piece) {
        all.extend_from_slice(&piece[..n]);
    }
    all
}

#[test]
fn what_is_written_for_later_goes_when_the_turn_ends_and_before_what_is_written_then() {
    block_on(async {
        let (far, mut near) = pair();
        near.write_all(b"1").await.unwrap();
        assert!(near.write_later(b"2"));
        assert!(!near.write_later(b"too"), "one at a time");
        assert_eq!(come(&far), b"1");
        yield_now().await;
        assert_eq!(come(&far), b"2");
        assert!(near.write_later(b"3"));
        near.write_all(b"4").await.unwrap();
        assert_eq!(come(&far), b"34");
        assert!(near.write_later(b"5"));
        near.shutdown().await.unwrap();
        assert_eq!(come(&far), b"5");
    })
    .unwrap();
}

#[test]
fn what_is_written_for_later_is_sent_by_a_connection_that_goes() {
    block_on(async {
        let (far, mut near) = pair();
        near.write_all(b"1").await.unwrap();
        assert!(near.write_later(b"2"));
        drop(near);
        assert_eq!(come(&far), b"12");
    })
    .unwrap();
}

#[test]
fn what_the_socket_does_not_take_at_once_goes_when_it_does() {
    block_on(async {
        let (far, mut near) = pair();
        near.write_all(b"1").await.unwrap();
        let block = [b'x'; crate::buffer::BLOCK];
        let mut sent = 1;
        while near.write_later(&block) {
            sent += block.len();
            yield_now().await;
        }
        // Some of the last block is here still; a write waits for it.
        let mut write = Box::pin(near.write_all(b"end"));
        let waits = poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx).is_pending()));
        assert!(waits.await);
        let mut all = come(&far);
        write.await.unwrap();
        all.extend_from_slice(&come(&far));
        assert_eq!((all.len(), &all[sent..]), (sent + 3, &b"end"[..]));
    })
    .unwrap();
}

#[test]
fn what_cannot_be_sent_later_is_told_of_once() {
    block_on(async {
        let (far, mut near) = pair();
        near.write_all(b"1").await.unwrap();
        assert!(near.write_later(b"2"));
        drop(far);
        yield_now().await;
        let (error, was_begun) = near.take_unsent().unwrap();
        assert_eq!((error.kind(), was_begun), (io::ErrorKind::BrokenPipe, false));
        assert!(near.take_unsent().is_none());
        let (far, mut near) = pair();
        near.write_all(b"1").await.unwrap();
        assert!(near.write_later(b"2"));
        drop(far);
        let mut buffer = crate::Buffer::new();
        assert_eq!(near.read(&mut buffer).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    })
    .unwrap();
}
