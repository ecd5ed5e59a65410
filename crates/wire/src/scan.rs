//! Finding the end of a head that comes in pieces, without looking at any byte twice.

/// How far a head that is not whole yet was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {}
