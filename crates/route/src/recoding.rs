//! Conversion of an answer's charset, by `charset_map`: tables, and the bytes of one answer.
//!
//! As in nginx, a byte that a table does not have becomes a question mark, and a character of UTF-8 that it does not
//! have becomes what HTML has for its number.

use std::collections::HashMap;
use std::sync::Arc;

use conf::tree::CharsetMap;

/// What no table has.
const UNKNOWN: u8 = b'?';

/// All conversions, by both names in lower case.
#[derive(Debug, Default)]
pub struct Recodings(HashMap<(String, String), Arc<Recoding>>);

/// A conversion from one charset to another.
#[derive(Debug, PartialEq, Eq)]
pub enum Recoding {
    /// Byte by byte.
    Bytes(Box<[u8; 256]>),
    /// Bytes to characters of UTF-8.
    ToUtf8(Vec<Vec<u8>>),
    /// The other way, by the numbers of characters.
    FromUtf8(HashMap<char, u8>),
}

impl Recodings {
    pub(crate) fn compile(maps: &[CharsetMap]) -> Self {
        let mut all = HashMap::new();
        for CharsetMap { from, to, is_utf8, pairs } in maps {
            let (there, back) = if *is_utf8 { with_utf8(pairs) } else { between_bytes(pairs) };
            all.insert((from.clone(), to.clone()), Arc::new(there));
            all.insert((to.clone(), from.clone()), Arc::new(back));
        }
        Self(all)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That from one charset to another; names are compared without regard to case.
    pub fn find(&self, from: &[u8], to: &[u8]) -> Option<&Arc<Recoding>> {
        let lower = |name: &[u8]| String::from_utf8_lossy(name).to_ascii_lowercase();
        self.0.get(&(lower(from), lower(to)))
    }
}

fn between_bytes(pairs: &[(u8, Vec<u8>)]) -> (Recoding, Recoding) {
    let empty =
        || Box::new(std::array::from_fn(|index| u8::try_from(index).ok().filter(u8::is_ascii).unwrap_or(UNKNOWN)));
    let (mut there, mut back): (Box<[u8; 256]>, Box<[u8; 256]>) = (empty(), empty());
    for (byte, other) in pairs {
        let Some(other) = other.first() else { continue };
        there[usize::from(*byte)] = *other;
        back[usize::from(*other)] = *byte;
    }
    (Recoding::Bytes(there), Recoding::Bytes(back))
}

fn with_utf8(pairs: &[(u8, Vec<u8>)]) -> (Recoding, Recoding) {
    let mut there: Vec<Vec<u8>> =
        (0..=255).map(|byte: u8| vec![if byte.is_ascii() { byte } else { UNKNOWN }]).collect();
    let mut back = HashMap::new();
    for (byte, character) in pairs {
        there[usize::from(*byte)].clone_from(character);
        let character = std::str::from_utf8(character).ok().and_then(|text| text.chars().next());
        character.and_then(|character| back.insert(character, *byte));
    }
    (Recoding::ToUtf8(there), Recoding::FromUtf8(back))
}

/// The bytes of one answer on their way through a conversion.
#[derive(Debug)]
pub struct Recoder {
    recoding: Arc<Recoding>,
    /// The beginning of a character whose rest is still to come.
    held: Vec<u8>,
}

impl Recoder {
    /// For an answer that is to come.
    pub fn new(recoding: Arc<Recoding>) -> Self {
        Self { recoding, held: Vec::new() }
    }

    /// Puts bytes in, and appends what comes out; with `is_end` they were the last.
    pub fn append(&mut self, data: &[u8], is_end: bool, out: &mut Vec<u8>) {
        match &*self.recoding {
            Recoding::Bytes(table) => out.extend(data.iter().map(|byte| table[usize::from(*byte)])),
            Recoding::ToUtf8(table) => data.iter().for_each(|byte| out.extend_from_slice(&table[usize::from(*byte)])),
            Recoding::FromUtf8(table) => {
                let held = std::mem::take(&mut self.held);
                let joined = if held.is_empty() { Vec::new() } else { [held.as_slice(), data].concat() };
                let rest = from_utf8(table, if joined.is_empty() { data } else { &joined }, out);
                if !is_end {
                    self.held = rest.to_vec();
                } else if !rest.is_empty() {
                    out.push(UNKNOWN);
                }
            }
        }
    }
}

/// Appends what is whole; what is left is the beginning of a character.
fn from_utf8<'d>(table: &HashMap<char, u8>, mut data: &'d [u8], out: &mut Vec<u8>) -> &'d [u8] {
    loop {
        let (valid, broken) = match std::str::from_utf8(data) {
            Ok(text) => (text, None),
            Err(error) => {
                let (valid, _) = data.split_at(error.valid_up_to());
                (std::str::from_utf8(valid).unwrap_or_default(), Some((valid.len(), error.error_len())))
            }
        };
        for character in valid.chars() {
            match table.get(&character) {
                Some(byte) => out.push(*byte),
                None if character.is_ascii() => out.extend(u8::try_from(character)),
                None => out.extend_from_slice(format!("&#{};", u32::from(character)).as_bytes()),
            }
        }
        match broken {
            None => return b"",
            Some((at, None)) => return &data[at..],
            Some((at, Some(length))) => {
                out.push(UNKNOWN);
                data = &data[at + length..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    fn recodings() -> Recodings {
        let map = |from: &str, to: &str, is_utf8, pairs: &[(u8, &[u8])]| CharsetMap {
            from: from.to_owned(),
            to: to.to_owned(),
            is_utf8,
            pairs: pairs.iter().map(|(byte, other)| (*byte, other.to_vec())).collect(),
        };
        Recodings::compile(&[
            map("koi8-r", "utf-8", true, &[(0xc0, "ю".as_bytes()), (0x80, "€".as_bytes())]),
            map("koi8-r", "windows-1251", false, &[(0xc0, &[0xfe])]),
        ])
    }

    #[test]
    fn answers_are_converted_however_they_come() {
        let table: [(&str, &str, &[u8], &[u8]); 6] = [
            ("KOI8-R", "UTF-8", b"a\xc0\x80\xff", "aю€?".as_bytes()),
            ("utf-8", "koi8-r", "aю€я".as_bytes(), b"a\xc0\x80&#1103;"),
            ("utf-8", "koi8-r", b"a\xd1b\xff", b"a?b?"),
            ("utf-8", "koi8-r", b"a\xd1", b"a?"),
            ("koi8-r", "windows-1251", b"a\xc0\xc1", b"a\xfe?"),
            ("windows-1251", "koi8-r", b"a\xfe", b"a\xc0"),
        ];
        for (from, to, data, expected) in table {
            for size in 1..=data.len() {
                let all = recodings();
                let mut recoder = Recoder::new(Arc::clone(all.find(from.as_bytes(), to.as_bytes()).unwrap()));
                let mut out = Vec::new();
                data.chunks(size).for_each(|piece| recoder.append(piece, false, &mut out));
                recoder.append(b"", true, &mut out);
                assert_eq!(out, expected, "{from} {to} {size}");
            }
        }
        assert!(recodings().find(b"windows-1251", b"utf-8").is_none());
    }
}
