//! `autoindex`: a list of what is in a folder.
//!
//! Its page is of our own, and plain. Names that begin with a dot are left out, folders come first, as in nginx.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use conf::tree::{ListFormat, Listing};
use jiff::tz::TimeZone;
use wire::encode;

use crate::limits::LISTED_MAX;

/// What is in a folder.
struct Entry {
    name: Vec<u8>,
    kind: Kind,
    /// Seconds since 1970.
    modified: i64,
    size: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Folder,
    File,
    Other,
}

/// Bytes of a function's name that JSON is put into a call of.
const CALLBACK_MAX: usize = 128;

/// The list as it is sent, and its type. `path` is what the client has asked for, `callback` the function that it wants
/// called.
pub(super) fn list(
    folder: &[u8],
    path: &[u8],
    listing: Listing,
    callback: Option<&[u8]>,
) -> io::Result<(Vec<u8>, &'static [u8])> {
    let mut entries = entries(folder)?;
    entries.sort_by(|a, b| (a.kind != Kind::Folder, &a.name).cmp(&(b.kind != Kind::Folder, &b.name)));
    Ok(match (listing.format, callback) {
        (ListFormat::Html, _) => (html(&entries, path, listing), b"text/html"),
        (ListFormat::Xml, _) => (xml(&entries), b"text/xml; charset=utf-8"),
        (ListFormat::Jsonp, Some(callback)) => (jsonp(&entries, callback), b"application/javascript"),
        (ListFormat::Json | ListFormat::Jsonp, _) => (json(&entries), b"application/json"),
    })
}

/// Why a name is none of a function that may be called, in nginx's words.
pub(super) fn fault_of(callback: &[u8]) -> Option<&'static str> {
    let is_in_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    if callback.len() > CALLBACK_MAX {
        Some("client sent too long callback name")
    } else if !callback.iter().all(is_in_name) {
        Some("client sent invalid callback name")
    } else {
        None
    }
}

/// The comment is there since what begins with a client's own word might be taken for something else.
fn jsonp(entries: &[Entry], callback: &[u8]) -> Vec<u8> {
    [&b"/* callback */\r\n"[..], callback, b"(", &json(entries), b");"].concat()
}

fn xml(entries: &[Entry]) -> Vec<u8> {
    let mut out = b"<?xml version=\"1.0\"?>\r\n<list>\r\n".to_vec();
    for entry in entries {
        let kind = entry.kind.name();
        let stamp = jiff::Timestamp::from_second(entry.modified).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let time = stamp.strftime("%Y-%m-%dT%H:%M:%SZ");
        out.extend_from_slice(format!("<{kind} mtime=\"{time}\"").as_bytes());
        if entry.kind == Kind::File {
            out.extend_from_slice(format!(" size=\"{}\"", entry.size).as_bytes());
        }
        out.push(b'>');
        append_text(&entry.name, &mut out);
        out.extend_from_slice(format!("</{kind}>\r\n").as_bytes());
    }
    out.extend_from_slice(b"</list>\r\n");
    out
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Folder => "directory",
            Self::File => "file",
            Self::Other => "other",
        }
    }
}

fn entries(folder: &[u8]) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(OsStr::from_bytes(folder))? {
        let entry = entry?;
        let name = entry.file_name().as_bytes().to_vec();
        // One that is gone meanwhile, or a link that leads nowhere, is as good as not there.
        let Ok(metadata) = fs::metadata(entry.path()).or_else(|_| entry.metadata()) else { continue };
        if name.starts_with(b".") {
            continue;
        }
        if entries.len() == LISTED_MAX {
            break;
        }
        let kind = match metadata.file_type() {
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_file() => Kind::File,
            _ => Kind::Other,
        };
        entries.push(Entry { name, kind, modified: metadata.mtime(), size: metadata.len() });
    }
    Ok(entries)
}

fn json(entries: &[Entry]) -> Vec<u8> {
    let mut out = b"[".to_vec();
    for (index, entry) in entries.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",\r\n{ \"name\":\"" } else { b"\r\n{ \"name\":\"" });
        append_json(&entry.name, &mut out);
        out.extend_from_slice(b"\", \"type\":\"");
        out.extend_from_slice(entry.kind.name().as_bytes());
        out.extend_from_slice(b"\", \"mtime\":\"");
        encode::date(&mut out, u64::try_from(entry.modified).unwrap_or(0));
        out.push(b'"');
        if entry.kind == Kind::File {
            out.extend_from_slice(b", \"size\":");
            encode::decimal(&mut out, entry.size);
        }
        out.extend_from_slice(b" }");
    }
    out.extend_from_slice(b"\r\n]");
    out
}

fn append_json(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

fn html(entries: &[Entry], path: &[u8], listing: Listing) -> Vec<u8> {
    let mut title = Vec::new();
    append_text(path, &mut title);
    let mut out = b"<!doctype html>\n<title>Index of ".to_vec();
    out.extend_from_slice(&title);
    out.extend_from_slice(b"</title>\n<h1>Index of ");
    out.extend_from_slice(&title);
    out.extend_from_slice(b"</h1>\n<table>\n<tr><td><a href=\"../\">../</a>\n");
    for entry in entries {
        let slash: &[u8] = if entry.kind == Kind::Folder { b"/" } else { b"" };
        out.extend_from_slice(b"<tr><td><a href=\"");
        append_link(&entry.name, &mut out);
        out.extend_from_slice(slash);
        out.extend_from_slice(b"\">");
        append_text(&entry.name, &mut out);
        out.extend_from_slice(slash);
        let size = if entry.kind == Kind::Folder { "-".to_owned() } else { size(entry.size, listing.exact_size) };
        let time = time(entry.modified, listing.local_time);
        out.extend_from_slice(format!("</a><td>{time}<td align=right>{size}\n").as_bytes());
    }
    out.extend_from_slice(b"</table>\n");
    out
}

/// `14-Nov-2023 22:13`.
fn time(seconds: i64, local: bool) -> String {
    let zone = if local { TimeZone::system() } else { TimeZone::UTC };
    let stamp = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    stamp.to_zoned(zone).strftime("%d-%b-%Y %H:%M").to_string()
}

/// Bytes, or so many K, M or G of them.
fn size(bytes: u64, is_exact: bool) -> String {
    const UNITS: [(&str, u32); 3] = [("G", 30), ("M", 20), ("K", 10)];
    let mut out = String::new();
    let unit = UNITS.iter().find(|(_, shift)| !is_exact && bytes >> shift > 0);
    // Writing to a string does not fail.
    let _ = match unit {
        Some((name, shift)) => write!(out, "{}{name}", (bytes + (1 << (shift - 1))) >> shift),
        None => write!(out, "{bytes}"),
    };
    out
}

/// A name within a page.
fn append_text(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            _ => out.push(byte),
        }
    }
}

/// A name as an address: what is no letter, digit or one of `-._~` is escaped, a colon too, for it would be a scheme's.
fn append_link(name: &[u8], out: &mut Vec<u8>) {
    for &byte in name {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_a_list() {
        let entry = |name: &str| Entry { name: name.as_bytes().to_vec(), kind: Kind::File, modified: 0, size: 1536 };
        let listing = Listing { is_on: true, format: ListFormat::Html, exact_size: false, local_time: false };
        let page = html(&[entry("<a href=\"x\">&:")], b"/<b>/", listing);
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("<h1>Index of /&lt;b&gt;/</h1>"), "{page}");
        let line = "<a href=\"%3Ca%20href%3D%22x%22%3E%26%3A\">&lt;a href=&quot;x&quot;&gt;&amp;:</a>\
                    <td>01-Jan-1970 00:00<td align=right>2K\n";
        assert!(page.contains(line), "{page}");
        let text = String::from_utf8(json(&[entry("a\"\\\n")])).unwrap();
        assert!(text.contains("{ \"name\":\"a\\\"\\\\\\u000A\", \"type\":\"file\""), "{text}");
    }

    #[test]
    fn functions_have_names() {
        let long = "f".repeat(129);
        for (name, is_one) in [("f", true), ("a.b_1", true), ("", true), ("f(", false), ("a-b", false), (&long, false)]
        {
            assert_eq!(fault_of(name.as_bytes()).is_none(), is_one, "{name}");
        }
    }

    #[test]
    fn sizes_are_rounded() {
        let table = [(0, "0"), (1023, "1023"), (1024, "1K"), (1536, "2K"), (1 << 20, "1M"), (3 << 30, "3G")];
        for (bytes, expected) in table {
            assert_eq!(size(bytes, false), expected);
            assert_eq!(size(bytes, true), bytes.to_string());
        }
    }
}
