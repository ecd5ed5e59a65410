//! The event loop of one thread: a tokio current-thread runtime whose clock ticks once a turn.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, LocalOptions};

use crate::{clock, deadline};

/// Runs `main` and all it spawns (`tokio::task::spawn_local`) on this thread until `main` ends.
pub fn block_on<F: Future>(main: F) -> io::Result<F::Output> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .on_thread_unpark(|| {
            clock::tick();
        })
        .build_local(LocalOptions::default())?;
    clock::tick();
    Ok(runtime.block_on(async {
        tokio::task::spawn_local(deadline::sweep_for_ever());
        main.await
    }))
}
