//! Messages of syslog (RFC 3164), as nginx makes them: `<PRIORITY>TIME HOST TAG: LINE`.
//!
//! A line of a file ends with LF, and may hold one where a format says so. A message ends with a zero, which no value
//! can have: whoever sends messages cuts there.

use std::io::Write;
use std::sync::OnceLock;

use conf::tree::Syslog;

/// What ends a message.
pub const END: u8 = 0;

/// Appends what stands before a line; `time` is as RFC 3164 has it.
pub(crate) fn begin(to: &Syslog, severity: u8, time: &str, out: &mut Vec<u8>) {
    let priority = to.facility * 8 + severity;
    // Writing to a vector does not fail.
    let _ = write!(out, "<{priority}>{time} ");
    if to.has_hostname {
        static HOSTNAME: OnceLock<Vec<u8>> = OnceLock::new();
        let name = || rustix::system::uname().nodename().to_bytes().to_vec();
        out.extend_from_slice(HOSTNAME.get_or_init(name));
        out.push(b' ');
    }
    let _ = write!(out, "{}: ", to.tag);
}

/// Ends the line just written.
pub(crate) fn end(out: &mut Vec<u8>) {
    if out.last() == Some(&b'\n') {
        out.pop();
    }
    out.push(END);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use conf::tree::PeerAddress;

    use super::*;

    #[test]
    fn a_message_has_nginx_s_layout() {
        let server = PeerAddress::Ip("127.0.0.1:514".parse().unwrap());
        let mut to = Syslog { server, facility: 23, severity: 6, tag: "nginx".to_owned(), has_hostname: false };
        let time = "Nov  9 08:39:19";
        let mut out = Vec::new();
        begin(&to, 6, time, &mut out);
        out.extend_from_slice(b"line\n");
        end(&mut out);
        assert_eq!(out, b"<190>Nov  9 08:39:19 nginx: line\0");
        (to.has_hostname, to.facility) = (true, 0);
        out.clear();
        begin(&to, 3, time, &mut out);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        assert_eq!(String::from_utf8_lossy(&out), format!("<3>Nov  9 08:39:19 {host} nginx: "));
    }
}
