//! bedloe: request-time rules made from the configuration tree
