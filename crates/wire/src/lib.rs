//! bedloe: HTTP/1.1 on the wire, both roles, without sockets
