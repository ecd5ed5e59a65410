//! bedloe: the whole architecture on one machine
