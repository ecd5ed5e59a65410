//! bedloe: facts of one Linux host
