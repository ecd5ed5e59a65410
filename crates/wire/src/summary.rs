//! What a head's fields say about its message: framing, persistence, what is for this connection only.
//!
//! One pass over the fields; a second one only when `Connection` names fields of its own.

use crate::{Field, Framing, Known, KnownSet, Refusal, Span, Version};

/// The most names that `Connection` fields may nominate: each is compared with every field of the head.
const NOMINATIONS_MAX: usize = 32;

/// What one pass over the fields finds.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// The names that occurred.
    pub(crate) seen: KnownSet,
    pub(crate) host: Option<Span>,
    pub(crate) hosts: usize,
    pub(crate) expects_continue: bool,
    /// `Connection` has the option `upgrade`, and there is an `Upgrade` field.
    pub(crate) upgrade: bool,
    length: Option<u64>,
    coding: Option<Span>,
    close: bool,
    keep_alive: bool,
    upgrade_option: bool,
    upgrade_field: bool,
    nominations: usize,
    fault: Option<Refusal>,
}

impl Summary {
    /// Takes note of a field that shapes its message ([`Known::shapes_message`]). A fault is told of at the end: the
    /// lines are to be whole first. Not inlined: the loop over all fields keeps its registers.
    #[inline(never)]
    pub(crate) fn take(&mut self, known: Known, span: Span, bytes: &[u8]) {
        let value = span.of(bytes);
        match known {
            Known::Host => {
                self.hosts += 1;
                self.host = Some(span);
            }
            Known::ContentLength => self.take_length(value),
            Known::TransferEncoding if self.coding.is_some() => {
                self.fault.get_or_insert(Refusal::TransferEncoding);
            }
            Known::TransferEncoding => self.coding = Some(span),
            Known::Connection => self.take_connection(value),
            Known::Upgrade => self.upgrade_field = true,
            Known::Expect => self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue"),
            _ => {}
        }
    }

    /// All fields were read: marks those that `Connection` names.
    #[inline]
    pub(crate) fn finish(&mut self, fields: &mut [Field], bytes: &[u8]) -> Result<(), Refusal> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.upgrade = self.upgrade_option && self.upgrade_field;
        if self.nominations > 0 { mark_nominated(fields, bytes, self.nominations) } else { Ok(()) }
    }

    fn take_length(&mut self, value: &[u8]) {
        match content_length(value) {
            Err(fault) => {
                self.fault.get_or_insert(fault);
            }
            Ok(length) => {
                if self.length.replace(length).is_some() {
                    self.fault.get_or_insert(Refusal::ContentLengthRepeated);
                }
            }
        }
    }

    fn take_connection(&mut self, value: &[u8]) {
        for option in list(value) {
            if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade_option = true;
            } else if !option.is_empty() {
                self.nominations += 1;
            }
        }
    }

    /// How the body ends, where a length or a coding says so (RFC 9112 6.3).
    pub(crate) fn framing(&self, bytes: &[u8], version: Version) -> Result<Option<Framing>, Refusal> {
        let Some(coding) = self.coding else { return Ok(self.length.map(Framing::Length)) };
        if version == Version::Http10 {
            return Err(Refusal::TransferEncodingHttp10);
        }
        if self.length.is_some() {
            return Err(Refusal::BothLengths);
        }
        let coding = coding.of(bytes);
        if coding.eq_ignore_ascii_case(b"chunked") { Ok(Some(Framing::Chunked)) } else { Err(coding_fault(coding)) }
    }

    /// Whether the connection goes on (RFC 9112 9.3).
    pub(crate) fn keeps_alive(&self, version: Version) -> bool {
        !self.close && (self.keep_alive || version == Version::Http11)
    }
}

/// The elements of a comma-separated list, without white space around them.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits only: no sign, no list, no more than a signed 64-bit number holds.
fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    /// So many digits never overflow.
    const SAFE_DIGITS: usize = 18;
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::ContentLength);
    }
    if value.len() <= SAFE_DIGITS {
        return Ok(value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')));
    }
    let digits = value.iter().map(|digit| i64::from(digit - b'0'));
    let number = digits.into_iter().try_fold(0_i64, |number, digit| number.checked_mul(10)?.checked_add(digit));
    number.and_then(|number| u64::try_from(number).ok()).ok_or(Refusal::ContentLength)
}

/// What is wrong with a `Transfer-Encoding` other than `chunked`: a coding that is not served in front of one final
/// `chunked`, or without any, is unknown; everything else is malformed.
#[cold]
fn coding_fault(value: &[u8]) -> Refusal {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let malformed = list(value).any(<[u8]>::is_empty);
    let chunked = list(value).filter(|coding| is_chunked(coding)).count();
    let last_is_chunked = list(value).last().is_some_and(is_chunked);
    if malformed || chunked > 1 || (chunked == 1 && !last_is_chunked) {
        Refusal::TransferEncoding
    } else {
        Refusal::TransferCodingUnknown
    }
}

/// Marks the fields that `Connection` names as hop-by-hop.
#[cold]
fn mark_nominated(fields: &mut [Field], bytes: &[u8], nominations: usize) -> Result<(), Refusal> {
    if nominations > NOMINATIONS_MAX {
        return Err(Refusal::TooManyOptions);
    }
    for at in 0..fields.len() {
        if fields[at].known != Known::Connection {
            continue;
        }
        for option in list(fields[at].value.of(bytes)) {
            for field in fields.iter_mut().filter(|field| field.name.of(bytes).eq_ignore_ascii_case(option)) {
                field.hop |= may_be_nominated(field.known);
            }
        }
    }
    Ok(())
}

/// Fields that a peer cannot have removed by naming them in `Connection`: the ones that frame or route the message,
/// and those with which proxies on the way say who the client is.
fn may_be_nominated(known: Known) -> bool {
    !matches!(
        known,
        Known::Host
            | Known::ContentLength
            | Known::Forwarded
            | Known::Via
            | Known::XForwardedFor
            | Known::XForwardedHost
            | Known::XForwardedPort
            | Known::XForwardedProto
            | Known::XRealIp
    )
}
