//! bedloe: the load injector
