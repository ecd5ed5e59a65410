//! The head of a request, as a server or a proxy reads it.

use crate::field::is_token_byte;
use crate::reader::{Reader, Target, Unread};
use crate::scan::{Scan, TooLong, check_sizes, field_fault, is_control, skip_empty_lines};
use crate::summary::Summary;
use crate::{Field, Framing, KnownSet, Limits, Refusal, Span, Version, host};

/// The head of a request; all spans lie in the bytes that it was parsed from. Made to be used again and again.
#[derive(Debug, Default)]
pub struct RequestHead {
    /// The method, a token.
    pub method: Span,
    /// The target as it was sent.
    pub target: Span,
    /// The version.
    pub version: Version,
    /// The fields in their order.
    pub fields: Vec<Field>,
    /// Which known names they have: where one is missing, the fields need not be searched.
    pub seen: KnownSet,
    /// How the end of the body is found; never `UntilClose`.
    pub framing: Framing,
    /// Whether the client lets the connection go on after this request.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// The authority of an absolute-form target, else the value of `Host` (RFC 9112 3.2.2). None on HTTP/1.0 only.
    pub host: Option<Span>,
    /// The same without its port and without the final dot of a full name; empty where there is none.
    pub host_name: Span,
    /// The path and query: the target in origin-form, the same part of one in absolute-form, the asterisk of
    /// `OPTIONS *`, the authority of `CONNECT`.
    pub path: Span,
    /// Where the path without the query ends: at the first `?` of `path`, or at its end.
    pub query_mark: u32,
    /// Whether the client asks to change the protocol: `Upgrade`, and `Connection` names it.
    pub upgrade: bool,
    scan: Scan,
}

impl RequestHead {
    /// An empty head.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets a head that was given up before its end; needed only then, before the same value reads another
    /// connection.
    pub fn clear(&mut self) {
        self.scan = Scan::default();
    }

    /// The path without the query, and the query without its `?`; `bytes` are the ones that the head was parsed from.
    #[inline]
    #[must_use]
    pub fn path_and_query<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let query = (self.query_mark + 1).min(self.path.end);
        (Span { end: self.query_mark, ..self.path }.of(bytes), Span { start: query, ..self.path }.of(bytes))
    }

    /// Reads the head at the start of `bytes`: `Some(n)` when it is whole and takes n bytes, `None` when more is
    /// needed. Called again with the same bytes and more after them, it does not look at all of them again.
    ///
    /// # Errors
    /// The request must be refused; `RequestHead` is then ready for another connection.
    #[inline]
    pub fn parse(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Refusal> {
        let result = self.read(bytes, limits);
        if !matches!(result, Ok(None)) {
            self.scan = Scan::default();
        }
        result
    }

    fn read(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Refusal> {
        let Some(start) = skip_empty_lines(bytes)? else { return Ok(None) };
        if !self.scan.worth_trying(bytes, start, limits)? {
            return Ok(None);
        }
        let mut summary = Summary::default();
        match self.read_lines(bytes, start, limits, &mut summary) {
            Ok((target, end)) => {
                let bytes = &bytes[..end];
                check_sizes(bytes, start, limits)?;
                self.accept(target, &mut summary, bytes)?;
                Ok(Some(end))
            }
            Err(Unread::Partial) => {
                self.scan.needs_more(bytes, start, limits)?;
                Ok(None)
            }
            Err(unread) => Err(refusal(unread, &bytes[start..])),
        }
    }

    /// The target, and where the head ends.
    #[inline]
    fn read_lines(
        &mut self,
        bytes: &[u8],
        start: usize,
        limits: &Limits,
        summary: &mut Summary,
    ) -> Result<(Target, usize), Unread> {
        let mut reader = Reader::new(bytes, start);
        self.method = reader.method()?;
        let target = reader.target()?;
        self.version = reader.version()?;
        reader.line_end(Unread::FirstLine)?;
        reader.fields(limits, &mut self.fields, summary)?;
        Ok((target, reader.at()))
    }

    /// Checks what was read; `bytes` are the whole head.
    #[inline]
    fn accept(&mut self, target: Target, summary: &mut Summary, bytes: &[u8]) -> Result<(), Refusal> {
        let Target { span, is_foreign, has_hash, question } = target;
        let (method, target) = (self.method.of(bytes), span.of(bytes));
        if is_foreign && std::str::from_utf8(target).is_err() {
            return Err(Refusal::Target);
        }
        summary.finish(&mut self.fields, bytes)?;
        self.seen = summary.seen;
        self.target = span;
        self.framing = summary.framing(bytes, self.version)?.unwrap_or(Framing::None);
        self.set_host(host(summary, self.version)?, bytes)?;
        self.path = self.target;
        self.query_mark = question.unwrap_or(span.end);
        if target[0] != b'/' || method == b"CONNECT" {
            self.read_other_form(method, target, bytes)?;
        }
        if has_hash {
            return Err(Refusal::Target);
        }
        let modern = self.version == Version::Http11;
        self.keep_alive = summary.keeps_alive(self.version);
        self.upgrade = modern && summary.upgrade;
        self.expect_continue =
            modern && summary.expects_continue && !matches!(self.framing, Framing::None | Framing::Length(0));
        Ok(())
    }

    #[inline]
    fn set_host(&mut self, host: Option<Span>, bytes: &[u8]) -> Result<(), Refusal> {
        self.host = host;
        self.host_name = Span::default();
        if let Some(host) = host {
            let end = host::name_end(bytes, host).ok_or(Refusal::Host)?;
            let has_dot = bytes[end - 1] == b'.';
            self.host_name = Span::new(host.start as usize, end - usize::from(has_dot));
        }
        Ok(())
    }

    /// The targets that do not start with a slash (RFC 9112 3.2.2 to 3.2.4).
    #[cold]
    fn read_other_form(&mut self, method: &[u8], target: &[u8], bytes: &[u8]) -> Result<(), Refusal> {
        match method {
            b"CONNECT" if host::is_valid(target) => return Ok(()),
            b"CONNECT" => return Err(Refusal::Target),
            b"OPTIONS" if target == b"*" => return Ok(()),
            _ => {}
        }
        let authority = ["http://", "https://"]
            .into_iter()
            .find(|scheme| {
                target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
            })
            .map(str::len)
            .ok_or(Refusal::Target)?;
        let end = target[authority..].iter().position(|byte| b"/?#".contains(byte)).map(|at| authority + at);
        let base = self.target.start as usize;
        let host = Span::new(base + authority, base + end.unwrap_or(target.len()));
        self.set_host(Some(host), bytes)?;
        self.path = match end {
            Some(slash) if target[slash] == b'/' => Span::new(base + slash, base + target.len()),
            // An empty path stands for a slash: one of those before the host serves.
            None => {
                self.query_mark = (base + authority) as u32;
                Span::new(base + authority - 1, base + authority)
            }
            // A slash would have to be put between; nobody sends this.
            Some(_) => return Err(Refusal::Target),
        };
        Ok(())
    }
}

/// The value of `Host` (RFC 9112 3.2). HTTP/1.0 may do without.
#[inline]
fn host(summary: &Summary, version: Version) -> Result<Option<Span>, Refusal> {
    match (summary.hosts, summary.host) {
        (1, value) => Ok(value),
        (0, _) if version == Version::Http10 => Ok(None),
        (0, _) => Err(Refusal::HostMissing),
        _ => Err(Refusal::HostRepeated),
    }
}

impl From<TooLong> for Refusal {
    fn from(too_long: TooLong) -> Self {
        match too_long {
            TooLong::FirstLine => Self::RequestLineTooLong,
            TooLong::Field => Self::FieldTooLong,
            TooLong::Head => Self::HeadTooLarge,
        }
    }
}

/// Names what is wrong with a head that was not read.
#[cold]
fn refusal(unread: Unread, bytes: &[u8]) -> Refusal {
    match unread {
        Unread::TooManyFields => Refusal::TooManyFields,
        Unread::FirstLine | Unread::Partial => {
            let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
            request_line_fault(line).unwrap_or(Refusal::RequestLine)
        }
        Unread::Field => field_fault(bytes).unwrap_or(Refusal::FieldValue),
    }
}

/// What is wrong with a request line, possibly one that is not whole yet.
fn request_line_fault(line: &[u8]) -> Option<Refusal> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.contains(&b'\r') {
        return Some(Refusal::BareCr);
    }
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let method = words.next().unwrap_or_default();
    if method.is_empty() || !method.iter().all(|&byte| is_token_byte(byte)) {
        return Some(Refusal::Method);
    }
    let Some(target) = words.next() else { return Some(Refusal::RequestLine) };
    if target.iter().any(|&byte| is_control(byte) || byte == b'\t') || std::str::from_utf8(target).is_err() {
        return Some(Refusal::Target);
    }
    match words.next() {
        Some([b'H', b'T', b'T', b'P', b'/', version @ ..]) => version_fault(version),
        _ => Some(Refusal::RequestLine),
    }
}

/// What is wrong with the version after `HTTP/`.
fn version_fault(version: &[u8]) -> Option<Refusal> {
    match version {
        [b'2'..=b'9', ..] | [b'1', b'.', b'2'..=b'9'] => Some(Refusal::VersionNotSupported),
        b"1.0" | b"1.1" => None,
        _ => Some(Refusal::Version),
    }
}

#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod tests;
