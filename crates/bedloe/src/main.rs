//! bedloe: a high-availability kit for Liberty servers.

fn main() {}
