//! Hosts and ports (RFC 9110 7.2, RFC 3986 3.2).
