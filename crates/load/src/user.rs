//! A virtual user: waits for a start, does one iteration, hands over what it measured, waits again.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

use net::clock::now_ns;

use crate::exchange::Client;
use crate::live::Live;
use crate::plan::Source;
use crate::pool::{Pool, Seat};
use crate::samples::Samples;

/// What all users of a thread share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) source: Source,
    pub(crate) pool: Pool,
    pub(crate) live: Arc<Live>,
    pub(crate) samples: RefCell<Samples>,
}

/// Does iterations for as long as the thread lives.
pub(crate) async fn work(seat: Rc<Seat>, desk: Rc<Desk>) {
    let mut client = Client::new(Arc::clone(&desk.live));
    loop {
        let due_ns = poll_fn(|cx| seat.poll_start(cx)).await;
        let began_ns = now_ns();
        let first_over_ns = match &desk.source {
            Source::Plain(request) => {
                let exchange = client.exchange(request, began_ns).await;
                desk.samples.borrow_mut().request(&exchange.timings, exchange.failure.as_ref());
                exchange.ended_ns
            }
        };
        // A plain iteration is its one request; a script goes on after its first.
        desk.samples.borrow_mut().iteration(due_ns, began_ns, first_over_ns, first_over_ns);
        desk.live.iterations.add(1);
        desk.pool.put(Rc::clone(&seat), &desk.live);
    }
}
