//! bedloe: the sockets of one thread: listen, dial, TLS, HTTP/1.1, buffers, deadlines
