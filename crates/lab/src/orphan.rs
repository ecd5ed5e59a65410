//! A process that does not outlive the one that started it.
//!
//! The child asks the kernel itself, so it holds when the parent is killed and runs no code of its own any more. The
//! kernel watches the *thread* that started the child: start children from a thread that lives as long as they may.

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Why a child could not be tied to its parent.
#[derive(Debug, thiserror::Error)]
pub enum OrphanError {
    /// The parent was gone before the child could ask.
    #[error("the process {0} that started this one is gone")]
    ParentGone(i32),
    /// The kernel refused.
    #[error("cannot ask the kernel to end this process with its parent")]
    Refused(#[from] std::io::Error),
}

/// Makes the kernel kill the calling process when `parent`, the process that started it, ends.
///
/// A parent that ended before the question was put is found by comparing: then this process already has another one.
pub fn die_with(parent: u32) -> Result<(), OrphanError> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(std::io::Error::from)?;
    let parent = parent.cast_signed();
    if getppid().map(Pid::as_raw_pid) == Some(parent) { Ok(()) } else { Err(OrphanError::ParentGone(parent)) }
}
