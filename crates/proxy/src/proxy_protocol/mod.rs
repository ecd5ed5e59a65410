//! The PROXY protocol: what a proxy says of a connection that it passes on, before the connection's own first byte.
//!
//! From clients it comes to listeners with `proxy_protocol` alone, where each connection has to begin with it; what it
//! says is for variables, and for `real_ip_header proxy_protocol`. Servers are told by the directive of that name.

mod header;
mod out;

use std::io;
use std::rc::Rc;

use conf::tree::LogLevel;

pub(crate) use header::{Told, Value};
pub(crate) use out::{of_client, of_nobody};

use crate::channel::Channel;
use crate::downstream::Downstream;
use header::Parsed;

/// Reads the header from a connection that has just come, and begins TLS behind it, where that is spoken. What is no
/// header ends the connection.
pub(crate) async fn read(down: &mut Downstream, wait_ms: u64) -> io::Result<()> {
    let Downstream { thread, channel: Channel::Http1(stream), input, deadline, client, .. } = down else {
        return Ok(());
    };
    deadline.set_idle(wait_ms);
    let length = loop {
        match header::parse(input.data()) {
            Parsed::Whole(length, told) => {
                client.told = told.map(Rc::new);
                break length;
            }
            Parsed::Broken(why) => {
                thread.log_client(LogLevel::Error, &format!("{why} while reading PROXY protocol"), client);
                return Err(io::ErrorKind::InvalidData.into());
            }
            Parsed::Partial => {}
        }
        // It has room for the longest header; before a byte has come it takes no memory.
        if !input.is_empty() && input.reserve(1).is_none() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let read = deadline.limit(|cx| stream.poll_read(cx, input)).await;
        deadline.set_busy();
        let why = match read {
            Ok(n) if n > 0 => continue,
            // Who looks whether somebody listens here says nothing.
            Ok(_) if input.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => "client timed out (110: Connection timed out)",
            _ => "client prematurely closed connection",
        };
        thread.log_client(LogLevel::Info, &format!("{why} while reading PROXY protocol"), client);
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    input.consume(length);
    let site = Rc::clone(&client.site);
    match &site.snapshot.tls[client.listener] {
        Some(tls) => stream.start_tls(&tls.server, std::mem::take(input)),
        None => {
            input.release_if_empty();
            Ok(())
        }
    }
}
