//! A plain reader of what one message is, to compare with: it sees all the bytes at once and keeps no state. It is
//! slow, and where the bytes end too early it only says so.

use wire::{CHUNK_EXTENSION_MAX, Framing, Known, TRAILER_BYTES_MAX, TRAILER_FIELDS_MAX};

/// A whole body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Bytes that it takes.
    pub(crate) length: usize,
    pub(crate) content: Vec<u8>,
    pub(crate) trailers: Vec<u8>,
}

/// Why there is no whole body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Bytes are missing; those that are here may be wrong all the same.
    Unfinished,
    Wrong,
}

/// The length of the head at the front: up to the first empty line behind a line that is none.
pub(crate) fn head_length(bytes: &[u8]) -> Option<usize> {
    let start = bytes.iter().position(|byte| !b"\r\n".contains(byte))?;
    let mut at = start;
    loop {
        at += bytes[at..].iter().position(|byte| *byte == b'\n')? + 1;
        if let Some(empty) = ["\n", "\r\n"].into_iter().find(|empty| bytes[at..].starts_with(empty.as_bytes())) {
            return Some(at + empty.len());
        }
    }
}

/// The body at the front of what is behind a head.
pub(crate) fn body(framing: Framing, bytes: &[u8]) -> Result<Whole, Fault> {
    let counted = |length: usize| {
        let content = bytes.get(..length).ok_or(Fault::Unfinished)?.to_vec();
        Ok(Whole { length, content, trailers: Vec::new() })
    };
    match framing {
        Framing::None => counted(0),
        Framing::Length(length) => counted(usize::try_from(length).map_err(|_| Fault::Unfinished)?),
        Framing::UntilClose => counted(bytes.len()),
        Framing::Chunked => chunks(bytes),
    }
}

fn chunks(bytes: &[u8]) -> Result<Whole, Fault> {
    let (mut at, mut content) = (0, Vec::new());
    loop {
        let line = line(bytes, &mut at)?;
        let size = usize::try_from(size(line).ok_or(Fault::Wrong)?).map_err(|_| Fault::Unfinished)?;
        if size == 0 {
            break;
        }
        let end = at.checked_add(size).ok_or(Fault::Unfinished)?;
        content.extend_from_slice(bytes.get(at..end).ok_or(Fault::Unfinished)?);
        match bytes.get(end..end + 2) {
            Some(b"\r\n") => at = end + 2,
            Some(_) => return Err(Fault::Wrong),
            None => return Err(Fault::Unfinished),
        }
    }
    let trailers = trailers(bytes, &mut at)?;
    Ok(Whole { length: at, content, trailers })
}

/// The next line, without its end; `at` is then behind it.
fn line<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a [u8], Fault> {
    let rest = &bytes[*at..];
    let feed = rest.iter().position(|byte| *byte == b'\n').ok_or(Fault::Unfinished)?;
    *at += feed + 1;
    let line = rest[..feed].strip_suffix(b"\r").ok_or(Fault::Wrong)?;
    if line.iter().any(|byte| *byte == 0x7f || (*byte < b' ' && *byte != b'\t')) { Err(Fault::Wrong) } else { Ok(line) }
}

/// The size that a chunk's line says.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, extension) = line.split_at(digits);
    let is_extension = extension.is_empty() || extension.trim_ascii_start().starts_with(b";");
    if digits.len() > 16 || !is_extension || extension.len() > CHUNK_EXTENSION_MAX + 1 {
        return None;
    }
    let size = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    i64::try_from(size).is_ok().then_some(size)
}

/// The trailers that go on, up to the empty line.
fn trailers(bytes: &[u8], at: &mut usize) -> Result<Vec<u8>, Fault> {
    let (start, mut fields, mut kept) = (*at, 0, Vec::new());
    loop {
        let line = line(bytes, at)?;
        if line.is_empty() {
            return Ok(kept);
        }
        fields += 1;
        let colon = line.iter().position(|byte| *byte == b':').ok_or(Fault::Wrong)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        if name.is_empty()
            || !name.iter().all(is_token)
            || fields > TRAILER_FIELDS_MAX
            || *at - start > TRAILER_BYTES_MAX
        {
            return Err(Fault::Wrong);
        }
        if goes_on(name) {
            kept.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
        }
    }
}

/// RFC 9110 6.5.1: a trailer of another meaning than content's own ends here.
fn goes_on(name: &[u8]) -> bool {
    let harmless = [Known::Other, Known::Etag, Known::Expires, Known::LastModified, Known::Date, Known::AcceptRanges];
    let is_plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    is_plain && harmless.contains(&Known::of(name))
}
