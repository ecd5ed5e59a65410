//! The access log's line: nginx's `combined` format, or one of the configuration's.

use std::cell::RefCell;
use std::io::Write;

use conf::tree::{LogTarget, Syslog};
use route::{AccessLog, Fact, Facts, Maps, Scratch};

use super::{Logs, syslog};
use crate::dates::Dates;

/// An access log, and the number of its writer.
pub(crate) struct AccessTarget<'a> {
    pub(crate) log: &'a AccessLog,
    pub(crate) to: &'a LogTarget,
    pub(crate) writer: usize,
}

/// What is needed to make texts of a request.
pub(crate) struct Rendered<'a> {
    pub(crate) maps: &'a Maps,
    pub(crate) scratch: &'a mut Scratch,
    /// Room for a value.
    pub(crate) value: &'a mut Vec<u8>,
}

/// Writes the line of a request, if it is to have one.
pub(crate) fn write_access(
    target: &AccessTarget<'_>,
    facts: &dyn Facts,
    texts: &mut Rendered<'_>,
    dates: &RefCell<Dates>,
    logs: &mut Logs,
) {
    let Rendered { maps, scratch, value } = texts;
    if !target.log.takes(facts, maps, scratch, value) {
        return;
    }
    let out = logs.lines(target.writer);
    let syslog = message(target.to, dates, out);
    match &target.log.format {
        None => combined(facts, out, value),
        Some(format) => format.append(facts, maps, scratch, value, out),
    }
    if syslog {
        syslog::end(out);
    }
    logs.written(target.writer);
}

/// Begins a message where the log is syslog's.
fn message(to: &LogTarget, dates: &RefCell<Dates>, out: &mut Vec<u8>) -> bool {
    let LogTarget::Syslog(to @ Syslog { severity, .. }) = to else { return false };
    syslog::begin(to, *severity, dates.borrow_mut().syslog(), out);
    true
}

/// Appends a line.
fn combined(facts: &dyn Facts, out: &mut Vec<u8>, value: &mut Vec<u8>) {
    let mut put = |out: &mut Vec<u8>, fact: &Fact| {
        value.clear();
        if facts.append(fact, value) { escape(value, out) } else { out.push(b'-') }
    };
    put(out, &Fact::RemoteAddr);
    out.extend_from_slice(b" - ");
    put(out, &Fact::RemoteUser);
    out.extend_from_slice(b" [");
    put(out, &Fact::TimeLocal);
    out.extend_from_slice(b"] \"");
    put(out, &Fact::Request);
    out.extend_from_slice(b"\" ");
    put(out, &Fact::Status);
    out.push(b' ');
    put(out, &Fact::BodyBytesSent);
    out.extend_from_slice(b" \"");
    put(out, &REFERER.with(Clone::clone));
    out.extend_from_slice(b"\" \"");
    put(out, &USER_AGENT.with(Clone::clone));
    out.extend_from_slice(b"\"\n");
}

thread_local! {
    static REFERER: std::rc::Rc<Fact> = std::rc::Rc::new(Fact::HttpField("referer".to_owned()));
    static USER_AGENT: std::rc::Rc<Fact> = std::rc::Rc::new(Fact::HttpField("user-agent".to_owned()));
}

/// Escapes as nginx does: quotes, backslashes and bytes that do not print become `\xXX`. No client forges a line.
pub(crate) fn escape(value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        if byte == b'"' || byte == b'\\' || !(b' '..=b'~').contains(&byte) {
            // Writing to a vector does not fail.
            let _ = write!(out, "\\x{byte:02X}");
        } else {
            out.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_could_forge_a_line_is_escaped() {
        let mut out = Vec::new();
        super::escape(b"a\"b\\c\nd\xe9", &mut out);
        assert_eq!(out, b"a\\x22b\\x5Cc\\x0Ad\\xE9");
    }
}
