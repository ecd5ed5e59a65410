//! What is counted and how it is kept: counters of one thread, trends of times with their percentiles.
//!
//! Deliberately absent: sockets, clocks, files and anything that knows who counts or who prints. Values come in as
//! arguments and go out as data.

pub mod counter;
pub mod trend;

pub use counter::Cell;
pub use trend::Trend;
