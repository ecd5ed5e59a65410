//! The access log's line: nginx's `combined` format.

use std::io::Write;

use route::{Fact, Facts};

/// Appends a line.
pub(crate) fn combined(facts: &dyn Facts, out: &mut Vec<u8>, value: &mut Vec<u8>) {
    let mut put = |out: &mut Vec<u8>, fact: &Fact| {
        value.clear();
        if facts.append(fact, value) && !value.is_empty() { escape(value, out) } else { out.push(b'-') }
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
