//! The error log's line, in nginx's layout.

use std::io::Write;

use conf::tree::{ErrorLog, LogLevel, LogTarget};

use super::access::escape;
use super::{Logs, syslog};
use crate::dates::Dates;

/// A failure in the course of a request, for the error log.
#[derive(Debug)]
pub(crate) struct Failed<'a> {
    pub(crate) level: LogLevel,
    /// What failed and on which side.
    pub(crate) what: &'a str,
    pub(crate) connection: u64,
    pub(crate) client: &'a [u8],
    pub(crate) server: &'a str,
    pub(crate) request: &'a [u8],
    /// The path that is asked whether the request may enter, while it is.
    pub(crate) subrequest: &'a [u8],
    /// The upstream server's address, where one is concerned.
    pub(crate) upstream: Option<&'a str>,
    /// Whether TLS is spoken to it.
    pub(crate) upstream_is_tls: bool,
    /// What it is asked for: path and arguments.
    pub(crate) upstream_target: &'a [u8],
    pub(crate) host: &'a [u8],
}

/// Writes a line, made by `append`, to each of some logs that takes its level; `writer` numbers their writers.
pub(crate) fn write_errors(
    targets: &[ErrorLog],
    level: LogLevel,
    (dates, logs): (&mut Dates, &mut Logs),
    writer: impl Fn(&LogTarget) -> usize,
    append: impl Fn(&str, &mut Vec<u8>),
) {
    for target in targets.iter().filter(|target| level <= target.level) {
        let log = writer(&target.to);
        let out = logs.lines(log);
        if let LogTarget::Syslog(to) = &target.to {
            syslog::begin(to, level as u8, dates.syslog(), out);
            append(dates.error(), out);
            syslog::end(out);
        } else {
            append(dates.error(), out);
        }
        logs.written(log);
    }
}

/// Appends `2026/11/22 23:52:06 [error] 12#0: *5 what, client: ..., request: "..."`.
pub(crate) fn error_line(time: &str, failed: &Failed<'_>, out: &mut Vec<u8>) {
    let (level, process, number) = (level_name(failed.level), std::process::id(), failed.connection);
    // Writing to a vector does not fail.
    let _ = write!(out, "{time} [{level}] {process}#0: *{number} ");
    append_shown(failed.what, out);
    out.extend_from_slice(b", client: ");
    out.extend_from_slice(failed.client);
    if !failed.server.is_empty() {
        let _ = write!(out, ", server: {}", failed.server);
    }
    quoted(out, "request", failed.request);
    quoted(out, "subrequest", failed.subrequest);
    if let Some(upstream) = failed.upstream {
        let scheme = if failed.upstream_is_tls { "https" } else { "http" };
        let _ = write!(out, ", upstream: \"{scheme}://{upstream}");
        if upstream.starts_with("unix:") {
            out.push(b':');
        }
        escape(failed.upstream_target, out);
        out.push(b'"');
    }
    quoted(out, "host", failed.host);
    out.push(b'\n');
}

/// Appends a text in which a client may have had a say: it must not begin another line, nor command a terminal.
fn append_shown(text: &str, out: &mut Vec<u8>) {
    for piece in text.split_inclusive(char::is_control) {
        let last = piece.char_indices().next_back().filter(|(_, char)| char.is_control());
        let (plain, control) = piece.split_at(last.map_or(piece.len(), |(at, _)| at));
        out.extend_from_slice(plain.as_bytes());
        for byte in control.bytes() {
            // Writing to a vector does not fail.
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
}

/// Appends a line about the process rather than a request.
pub(crate) fn process_line(time: &str, level: LogLevel, what: &str, out: &mut Vec<u8>) {
    // Writing to a vector does not fail.
    let _ = write!(out, "{time} [{}] {}#0: ", level_name(level), std::process::id());
    append_shown(what, out);
    out.push(b'\n');
}

fn quoted(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if value.is_empty() {
        return;
    }
    let _ = write!(out, ", {name}: \"");
    escape(value, out);
    out.push(b'"');
}

/// nginx's name of a level.
pub fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Emerg => "emerg",
        LogLevel::Alert => "alert",
        LogLevel::Crit => "crit",
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Notice => "notice",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_say_stays_in_its_line() {
        let table = [
            ("", ""),
            ("a \"b\" \\x0A é", "a \"b\" \\x0A é"),
            ("a\r\nb\u{1b}[31m\u{7f}", "a\\x0D\\x0Ab\\x1B[31m\\x7F"),
            ("\u{9b}31m", "\\xC2\\x9B31m"),
        ];
        for (text, expected) in table {
            let mut out = Vec::new();
            append_shown(text, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn the_layout_is_nginx_s() {
        let failed = Failed {
            level: LogLevel::Error,
            what: "connect() failed (111: Connection refused) while connecting to upstream",
            connection: 5,
            client: b"127.0.0.1",
            server: "_",
            request: b"GET /\" HTTP/1.1",
            subrequest: b"/auth",
            upstream: Some("127.0.0.1:9080"),
            upstream_is_tls: false,
            upstream_target: b"/?a",
            host: b"example.com",
        };
        let mut out = Vec::new();
        error_line("2026/11/22 23:52:06", &failed, &mut out);
        let process = std::process::id();
        assert_eq!(
            String::from_utf8_lossy(&out),
            format!(
                "2026/11/22 23:52:06 [error] {process}#0: *5 connect() failed (111: Connection refused) while \
                 connecting to upstream, client: 127.0.0.1, server: _, request: \"GET /\\x22 HTTP/1.1\", \
                 subrequest: \"/auth\", upstream: \"http://127.0.0.1:9080/?a\", host: \"example.com\"\n"
            )
        );
    }
}
