//! Writing heads and chunk framing into a buffer that the caller keeps.

use memchr::memchr3;

use crate::vector::any_at_most_or_del;
use crate::{Field, Version};

/// Ends a chunk's data.
pub const CHUNK_END: &[u8] = b"\r\n";
/// The last chunk and the end of a chunked body without trailers. With trailers, write `0\r\n`, them, and `\r\n`.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// The last chunk, when trailers follow.
pub const LAST_CHUNK_BEFORE_TRAILERS: &[u8] = b"0\r\n";
/// Ends a head.
pub const HEAD_END: &[u8] = b"\r\n";

/// Writes `name: value`. The value may come from outside: bytes that would end the line become spaces.
pub fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    clean(out, value);
    out.extend_from_slice(b"\r\n");
}

/// Copies a field of a parsed head as it stands; `bytes` are the ones that the head was parsed from.
#[inline]
pub fn copied_field(out: &mut Vec<u8>, bytes: &[u8], field: &Field) {
    out.extend_from_slice(&bytes[field.name.start as usize..field.value.end as usize]);
    out.extend_from_slice(b"\r\n");
}

/// Whether a value would break a head apart: it has CR, LF or NUL.
#[inline]
#[must_use]
pub fn breaks_line(value: &[u8]) -> bool {
    any_at_most_or_del(value, b'\r') && memchr3(b'\r', b'\n', b'\0', value).is_some()
}

/// Whether these bytes may stand between two spaces of a request line.
#[inline]
#[must_use]
pub fn is_word(bytes: &[u8]) -> bool {
    !bytes.is_empty() && !any_at_most_or_del(bytes, b' ')
}

/// Writes the status line with the standard reason.
pub fn status_line(out: &mut Vec<u8>, status: u16) {
    if status == 200 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes a request line. Bytes of the target that would end the line or the target become `%` and two digits.
pub fn request_line(out: &mut Vec<u8>, method: &[u8], target: &[u8], version: Version) {
    out.extend_from_slice(method);
    out.push(b' ');
    if target.iter().all(|&byte| byte > b' ' && byte != 0x7f) {
        out.extend_from_slice(target);
    } else {
        escaped(out, target);
    }
    out.push(b' ');
    out.extend_from_slice(version.as_str().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes the line before a chunk's data. A chunk of length 0 would end the body: use [`LAST_CHUNK`] for that.
pub fn chunk_start(out: &mut Vec<u8>, length: u64) {
    let digits = (u64::BITS - length.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(length >> (4 * place)) as usize & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes a decimal number.
pub fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The standard reason phrase of a status; empty where there is none.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400..=499 => client_error_reason(status),
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        511 => "Network Authentication Required",
        _ => "",
    }
}

fn client_error_reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        _ => "",
    }
}

/// The length of what [`date`] writes.
pub const DATE_BYTES: usize = 29;

/// Writes a time as `Date` has it, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7).
pub fn date(out: &mut Vec<u8>, unix_seconds: u64) {
    const DAYS: [&[u8]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let days = unix_seconds / 86_400;
    let second = unix_seconds % 86_400;
    let (year, month, day) = civil(days);
    out.extend_from_slice(DAYS[(days % 7) as usize]);
    out.extend_from_slice(b", ");
    two_digits(out, day);
    out.push(b' ');
    out.extend_from_slice(MONTHS[month as usize - 1]);
    out.push(b' ');
    two_digits(out, year / 100 % 100);
    two_digits(out, year % 100);
    out.push(b' ');
    two_digits(out, second / 3600);
    out.push(b':');
    two_digits(out, second / 60 % 60);
    out.push(b':');
    two_digits(out, second % 60);
    out.extend_from_slice(b" GMT");
}

/// Year, month and day of the month of a day counted from 1970. Counts years from March, so that the leap day is the
/// last of its year, in eras of 400 years, which all have the same number of days.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA_DAYS: u64 = 146_097;
    let since_era_zero = days + 719_468;
    let era = since_era_zero / ERA_DAYS;
    let day_of_era = since_era_zero % ERA_DAYS;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (ERA_DAYS - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn two_digits(out: &mut Vec<u8>, number: u64) {
    out.push(b'0' + (number / 10) as u8);
    out.push(b'0' + (number % 10) as u8);
}

fn clean(out: &mut Vec<u8>, mut value: &[u8]) {
    while let Some(at) = memchr3(b'\r', b'\n', 0, value) {
        out.extend_from_slice(&value[..at]);
        out.push(b' ');
        value = &value[at + 1..];
    }
    out.extend_from_slice(value);
}

#[cold]
fn escaped(out: &mut Vec<u8>, target: &[u8]) {
    for &byte in target {
        if byte > b' ' && byte != 0x7f {
            out.push(byte);
        } else {
            out.push(b'%');
            out.push(b"0123456789ABCDEF"[usize::from(byte >> 4)]);
            out.push(b"0123456789ABCDEF"[usize::from(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, RequestHead, ResponseHead};

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn dates() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (1_709_251_200, "Fri, 01 Mar 2024 00:00:00 GMT"),
            (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            let text = written(|out| date(out, seconds));
            assert_eq!((text.as_str(), text.len()), (expected, DATE_BYTES));
        }
    }

    #[test]
    fn numbers() {
        for number in [0, 1, 9, 10, 255, 4096, u64::MAX] {
            assert_eq!(written(|out| decimal(out, number)), number.to_string());
            assert_eq!(written(|out| chunk_start(out, number)), format!("{number:x}\r\n"));
        }
    }

    #[test]
    fn lines_from_outside_stay_one_line() {
        assert_eq!(written(|out| field(out, b"X", b"a\r\nb\0c")), "X: a  b c\r\n");
        let line = written(|out| request_line(out, b"GET", b"/a b\r\n\x7f", Version::Http10));
        assert_eq!(line, "GET /a%20b%0D%0A%7F HTTP/1.0\r\n");
    }

    #[test]
    fn every_status_line_is_read_back() {
        for status in 100..1000 {
            let head = written(|out| {
                status_line(out, status);
                field(out, b"Content-Length", b"0");
                out.extend_from_slice(HEAD_END);
            });
            let mut parsed = ResponseHead::new();
            assert_eq!(parsed.parse(head.as_bytes(), false, &Limits::default()), Ok(Some(head.len())));
            assert_eq!((parsed.status, parsed.reason.of(head.as_bytes())), (status, reason(status).as_bytes()));
        }
    }

    #[test]
    fn a_copied_head_is_read_back() {
        let bytes = b"GET /x HTTP/1.1\r\nHost:a\r\nX: y  \r\nZ:\r\n\r\n";
        let mut head = RequestHead::new();
        head.parse(bytes, &Limits::default()).expect("a good head");
        let copy = written(|out| {
            request_line(out, head.method.of(bytes), head.path.of(bytes), head.version);
            head.fields.iter().for_each(|field| copied_field(out, bytes, field));
            out.extend_from_slice(HEAD_END);
        });
        assert_eq!(copy, "GET /x HTTP/1.1\r\nHost:a\r\nX: y\r\nZ:\r\n\r\n");
    }
}
