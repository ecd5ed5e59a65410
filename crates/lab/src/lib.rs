//! The whole architecture on one machine: stand-in servers, processes that do not outlive the lab, faults, what came
//! of them.
//!
//! Nothing here prints: the program renders what these modules return.

pub mod certificate;
pub mod config;
pub mod duration;
pub mod faults;
pub mod orphan;
pub mod plan;
pub mod preflight;
pub mod processes;
pub mod stand_in;
pub mod watch;
