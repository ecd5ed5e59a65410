//! XML files of others: read with limits, and with the place of everything in them.
//!
//! A file with a DOCTYPE is refused, and with it entities that grow without end or name other files. Left out: schemas,
//! namespaces, and encodings other than UTF-8 and ISO-8859-1.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conf::Loader;
use conf::span::Place;
use roxmltree::{Attribute, Document, Node, ParsingOptions};

use crate::files;

/// Elements and texts of one file: more than anybody configures by hand.
const NODES_MAX: u32 = 1_000_000;
/// The largest file: more than anybody configures by hand, too.
const BYTES_MAX: usize = 4 << 20;
/// `=` in one tag: each attribute is compared with all before it when the file is taken apart.
const ATTRIBUTES_MAX: usize = 1000;

/// The text of an XML file.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let bytes = files::System.read(path)?;
    if bytes.len() > BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {} MiB", BYTES_MAX >> 20)));
    }
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
    if let Some(start) = crowded(text) {
        let why = format!("the file is not read: an element has more than {ATTRIBUTES_MAX} attributes");
        return Err((why, Places::new(path, text).at(start, 1)));
    }
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

/// Where a tag with too many attributes begins. `<` is in no value; comments and CDATA begin with `<!`.
fn crowded(text: &str) -> Option<usize> {
    let is_crowded =
        |piece: &&str| !piece.starts_with('!') && piece.bytes().filter(|byte| *byte == b'=').count() > ATTRIBUTES_MAX;
    let piece = text.split('<').skip(1).find(is_crowded)?;
    Some(piece.as_ptr() as usize - text.as_ptr() as usize - 1)
}

/// Where things are in a file. The starts of its lines are looked for once, not for each of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    file: Arc<PathBuf>,
    /// The offsets at which lines begin, but for the first.
    starts: Vec<usize>,
}

impl Places {
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1).collect();
        Self { file: Arc::new(path.to_owned()), starts }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Where an element begins.
    pub(crate) fn element(&self, node: Node<'_, '_>) -> Place {
        self.at(node.range().start, node.tag_name().name().len() + 1)
    }

    /// Where the value of an attribute is.
    pub(crate) fn value(&self, attribute: Attribute<'_, '_>) -> Place {
        let range = attribute.range_value();
        self.at(range.start, range.len())
    }

    #[allow(clippy::cast_possible_truncation, reason = "files are no larger than 4 MiB")]
    fn at(&self, start: usize, length: usize) -> Place {
        let before = self.starts.partition_point(|line| *line <= start);
        let line_start = before.checked_sub(1).map_or(0, |line| self.starts[line]);
        Place {
            file: Arc::clone(&self.file),
            line: before as u32 + 1,
            column: (start - line_start) as u32 + 1,
            length: length.max(1) as u32,
        }
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

    #[test]
    fn places_are_by_line_and_column() {
        let text = "<a>\n\n <b c='d'\ne='f'/></a>";
        let document = parse(Path::new("a.xml"), text).unwrap();
        let places = Places::new(Path::new("a.xml"), text);
        let node = document.root_element().first_element_child().unwrap();
        let seen = |place: Place| (place.line, place.column, place.length);
        assert_eq!(seen(places.element(document.root_element())), (1, 1, 2));
        assert_eq!(seen(places.element(node)), (3, 2, 2));
        let values: Vec<_> = node.attributes().map(|attribute| seen(places.value(attribute))).collect();
        assert_eq!(values, [(3, 8, 1), (4, 4, 1)]);
    }

    #[test]
    fn an_element_of_very_many_attributes_is_refused() {
        let attributes = |count: u32| (0..count).map(|at| format!(" a{at}='b'")).collect::<String>();
        assert!(parse(Path::new("a.xml"), &format!("<a{}/>", attributes(1000))).is_ok());
        let (why, place) = parse(Path::new("a.xml"), &format!("<a>\n <b{}/></a>", attributes(1001))).unwrap_err();
        assert!(why.contains("more than 1000 attributes"), "{why}");
        assert_eq!((place.line, place.column), (2, 2));
        assert!(parse(Path::new("a.xml"), &format!("<a><!-- {} --></a>", attributes(2000))).is_ok());
    }

    #[test]
    fn a_large_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.xml");
        std::fs::write(&path, vec![b' '; BYTES_MAX + 1]).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), "it is larger than 4 MiB");
    }
}
