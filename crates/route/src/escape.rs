//! Percent-encoding of paths that go into a request line or an address.

/// Appends a path with every byte escaped that may not stand in one unescaped, or that would end it.
pub fn append_escaped(path: &[u8], out: &mut Vec<u8>) {
    for &byte in path {
        if must_be_escaped(byte) {
            append_byte(byte, out);
        } else {
            out.push(byte);
        }
    }
}

/// The same for a part of a query, in which `&`, `+` and `;` would mean something else.
pub(crate) fn append_escaped_argument(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        if must_be_escaped(byte) || b"&+;".contains(&byte) {
            append_byte(byte, out);
        } else {
            out.push(byte);
        }
    }
}

fn append_byte(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn must_be_escaped(byte: u8) -> bool {
    !byte.is_ascii_graphic() || br##""#%<>?\^`{|}"##.contains(&byte)
}
