//! XML files of others: read with limits, and with the place of everything in them.
//!
//! A file with a DOCTYPE is refused, and with it entities that grow without end or name other files. Left out: schemas,
//! namespaces, and encodings other than UTF-8 and ISO-8859-1.

use std::io;
use std::path::Path;
use std::sync::Arc;

use conf::Loader;
use conf::span::Place;
use roxmltree::{Attribute, Document, Node, ParsingOptions};

use crate::files;

/// Elements and texts of one file: more than anybody configures by hand.
const NODES_MAX: u32 = 1_000_000;

/// The text of an XML file.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let bytes = files::System.read(path)?;
    String::from_utf8(bytes).or_else(|error| {
        let bytes = error.into_bytes();
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).to_ascii_lowercase();
        let is_latin = head.lines().next().is_some_and(|line| line.contains("iso-8859-1"));
        // Its letters are the first 256 of Unicode.
        if is_latin { Ok(bytes.into_iter().map(char::from).collect()) } else { Err(io::Error::other("it is no UTF-8")) }
    })
}

/// A file taken apart; the error says what is wrong with it, and where.
pub(crate) fn parse<'a>(path: &Path, text: &'a str) -> Result<Document<'a>, (String, Place)> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| {
        let at = error.pos();
        let place = Place { file: Arc::new(path.to_owned()), line: at.row, column: at.col, length: 1 };
        let why = match error {
            roxmltree::Error::DtdDetected => {
                "a DOCTYPE is not served: it may name other files, or grow without end".into()
            }
            // The place is told beside.
            error => error.to_string().replace(&format!(" at {at}"), ""),
        };
        (format!("the file is no XML that can be used: {why}"), place)
    })
}

/// Where an element begins.
pub(crate) fn place(path: &Arc<std::path::PathBuf>, node: Node<'_, '_>) -> Place {
    let start = node.range().start;
    at(path, node.document(), start, node.tag_name().name().len() + 1)
}

/// Where the value of an attribute is.
pub(crate) fn value_place(path: &Arc<std::path::PathBuf>, node: Node<'_, '_>, attribute: Attribute<'_, '_>) -> Place {
    let range = attribute.range_value();
    at(path, node.document(), range.start, range.len())
}

#[allow(clippy::cast_possible_truncation, reason = "files are smaller than 64 MiB")]
fn at(path: &Arc<std::path::PathBuf>, document: &Document<'_>, start: usize, length: usize) -> Place {
    let text = &document.input_text()[..start];
    let line_start = text.rfind('\n').map_or(0, |at| at + 1);
    Place {
        file: Arc::clone(path),
        line: text.bytes().filter(|byte| *byte == b'\n').count() as u32 + 1,
        column: (start - line_start) as u32 + 1,
        length: length.max(1) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_xml_is_told_with_its_place() {
        for (text, words, line) in [
            ("", "the file is no XML", 1),
            ("<a>\n<b></a>", "expected 'b' tag, not 'a'", 2),
            ("<a b='1' b='2'/>", "is already defined", 1),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "a DOCTYPE is not served", 1),
            ("<a>&nothing;</a>", "unknown entity", 1),
            ("\u{0}", "the file is no XML", 1),
        ] {
            let (why, place) = parse(Path::new("a.xml"), text).unwrap_err();
            assert!(why.contains(words) && place.line == line, "{text}: {why} {place:?}");
        }
    }

    #[test]
    fn deep_and_wide_files_do_no_harm() {
        let deep = "<a>".repeat(200_000) + &"</a>".repeat(200_000);
        assert!(parse(Path::new("a.xml"), &deep).is_ok_and(|document| document.descendants().count() == 200_001));
        let wide = format!("<a>{}</a>", "<b/>".repeat(1_100_000));
        assert!(parse(Path::new("a.xml"), &wide).is_err());
    }
}
