//! The whole architecture on one machine: stand-in servers, processes that do not outlive the lab, faults, what came
//! of them.
//!
//! Nothing here prints: the program renders what these modules return.

pub mod duration;
pub mod orphan;
pub mod stand_in;
