//! One thread's sockets: listen, dial, TLS on both sides, buffers, deadlines, an exact timer.
//!
//! The balancer and the injector both reach the network through this crate and nowhere else. Each thread runs its own
//! event loop ([`event_loop`]); nothing here is shared between threads but the TLS configurations. It
//! knows nothing of requests, routing or metrics.

pub mod buffer;
pub mod clock;
pub mod deadline;
pub mod dial;
pub mod event_loop;
pub mod listen;
pub mod resolver;
pub mod socket;
pub mod stream;
pub mod timer;
pub mod tls;

pub use buffer::Buffer;
pub use deadline::Deadline;
pub use socket::Socket;
pub use stream::Stream;
