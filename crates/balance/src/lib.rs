//! bedloe: choosing an upstream server, without sockets
