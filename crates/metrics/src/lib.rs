//! What is counted and how it is kept: counters of one thread, trends of times and of any numbers with their
//! percentiles; and Prometheus's text format, written and read.
//!
//! Deliberately absent: sockets, clocks, files and anything that knows who counts or who prints. Values come in as
//! arguments and go out as data.

pub mod buckets;
pub mod counter;
pub mod exposition;
pub mod numbers;
pub mod trend;

pub use buckets::{Buckets, Tally};
pub use counter::Cell;
pub use numbers::Numbers;
pub use trend::Trend;
