//! The whole architecture on one machine: stand-in servers, processes that do not outlive the lab, faults, what came
//! of them.
//!
//! The way of a lab: [`plan`] checks what is asked for; [`preflight`] looks at ports and folder; [`config`] writes the
//! balancer's configuration; [`run()`] starts the processes, puts the load on, does the [`faults`] and watches; the
//! [`report`] is data. Nothing here prints: the program renders what these modules return.

pub mod certificate;
pub mod config;
pub mod course;
mod crew;
pub mod drill;
pub mod duration;
pub mod faults;
pub mod injector;
pub mod liberty;
pub mod netns;
pub mod orphan;
pub mod plan;
pub mod preflight;
pub mod processes;
pub mod report;
pub mod roll;
mod run;
mod signals;
pub mod stand_in;
pub mod timeline;
pub mod watch;

pub use faults::{Action, Fault};
pub use plan::{Options, Plan};
pub use report::{ProcessRow, Report};
pub use run::{Error, Event, run};
pub use signals::Signals;

/// An error and what caused it, on one line. No error's own text repeats its cause.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
