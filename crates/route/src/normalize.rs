//! The path that locations are compared with: percent-decoded, slashes merged, dot segments resolved.

/// The path is malformed: a wrong escape, a NUL, or dot segments that lead above the root. The answer is 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPath;

/// Normalizes the path of a request target (without `?` and what follows), as nginx does with `merge_slashes on`.
/// Returns the input itself when there is nothing to do, else the result in `scratch`, which is cleared first.
///
/// # Errors
/// When the path is malformed.
pub fn normalize<'a>(path: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<&'a [u8], BadPath> {
    if path.first() != Some(&b'/') {
        return Err(BadPath);
    }
    if is_normal(path) {
        return Ok(path);
    }
    scratch.clear();
    let mut rest = path;
    while let Some(byte) = next_byte(&mut rest)? {
        if byte == b'/' {
            end_segment(scratch)?;
            // The slash merges with one before it, which is also how the slash after a dropped segment goes.
            if scratch.last() != Some(&b'/') {
                scratch.push(b'/');
            }
        } else {
            scratch.push(byte);
        }
    }
    end_segment(scratch)?;
    Ok(scratch)
}

fn is_normal(path: &[u8]) -> bool {
    let mut after_slash = false;
    for &byte in path {
        match byte {
            b'%' | b'#' | b'\0' => return false,
            b'/' | b'.' if after_slash => return false,
            _ => after_slash = byte == b'/',
        }
    }
    true
}

/// The next byte of the path, decoded. An escaped slash or dot counts as a plain one, as in nginx. A `#` ends the path.
fn next_byte(rest: &mut &[u8]) -> Result<Option<u8>, BadPath> {
    let byte = match **rest {
        [] | [b'#', ..] => return Ok(None),
        [b'%', high, low, ..] => {
            *rest = &rest[3..];
            hex(high).zip(hex(low)).map(|(high, low)| high << 4 | low).ok_or(BadPath)?
        }
        [b'%', ..] => return Err(BadPath),
        [byte, ..] => {
            *rest = &rest[1..];
            byte
        }
    };
    if byte == 0 { Err(BadPath) } else { Ok(Some(byte)) }
}

/// At a segment's end: drops a `.`, and a `..` with the segment before it. Both leave the slash that came before.
fn end_segment(path: &mut Vec<u8>) -> Result<(), BadPath> {
    if path.ends_with(b"/.") {
        path.pop();
    } else if path.ends_with(b"/..") {
        path.truncate(path.len() - 3);
        let parent = path.iter().rposition(|&byte| byte == b'/').ok_or(BadPath)?;
        path.truncate(parent + 1);
    }
    Ok(())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
