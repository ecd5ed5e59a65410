//! Files as answers: folders and what stands for them, types, conditions, ranges.
//!
//! Files are small and few here (error pages, icons, what a challenge asks for), so the thread that serves the
//! connection reads them itself, by `pread` in pieces of [`FILE_PIECE`](crate::limits::FILE_PIECE), with the other
//! connections between some of them: a copy from the system's page cache, some 10 us, where handing it to a thread of
//! its own would cost about as much. A disk that hangs does hold up the thread, as it does nginx without `aio threads`.
//! Memory of a request is one piece, however large the file. Files are opened by the worker's user.

mod conditions;
mod listing;
mod look;
mod open;
mod ranges;
mod send;

use std::fs::File;

use conf::tree::{FileSettings, GzipFiles, ListFormat};
use route::{Content, Facts, Gzip};
use rustix::fs::Stat;
use rustix::io::Errno;
use wire::encode;

use crate::answer::{self, Answer};
use crate::detour::Entry;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::gzip;
use crate::request::{Routed, Served, method};
pub(crate) use look::look;
use open::{Links, open_by};
pub(crate) use open::{Opened, open};
use send::Packing;

/// Ends of names that are looked up; longer ones have no type.
const END_MAX: usize = 64;

/// Answers with the file, or with what stands for the folder, that the request's path leads to.
pub(crate) async fn serve(connection: &mut Downstream, exchange: &mut Exchange, routed: &Routed<'_>) -> Served {
    if !matches!(method(connection, exchange, routed), b"GET" | b"HEAD" | b"POST") {
        return Served::Status(405);
    }
    let (path, root) = match mapped(connection, exchange, routed) {
        Some(mapped) => mapped,
        None => return Served::Status(500),
    };
    if leads_out(&path, root) {
        log(connection, exchange, routed, &path, "leads out of its folder");
        return Served::Status(404);
    }
    if exchange.path.last() == Some(&b'/') {
        return match folder(connection, exchange, routed, &path) {
            Some(served) => served,
            None => list(connection, exchange, routed, &path).await,
        };
    }
    let links = links(connection, exchange, routed, &path);
    let packed = match &routed.finish.gzip {
        Some(rule) if rule.files != GzipFiles::Off => {
            match packed(connection, exchange, routed, rule, (&path, links)) {
                Packed::There(file, stat) => {
                    return send::send(connection, exchange, routed, &file, &stat, Packing::Packed).await;
                }
                Packed::Refused => Packing::Varying,
                Packed::No => Packing::Plain,
            }
        }
        _ => Packing::Plain,
    };
    match open_by(&path, links) {
        Ok(Opened::File(file, stat)) => {
            if method(connection, exchange, routed) == b"POST" {
                return Served::Status(405);
            }
            send::send(connection, exchange, routed, &file, &stat, packed).await
        }
        Ok(Opened::Folder) => {
            let address = with_slash(connection, exchange, routed);
            Served::Done(answer::redirect(connection, exchange, routed, 301, address).await)
        }
        Ok(Opened::Other) => {
            log(connection, exchange, routed, &path, "is not a regular file");
            Served::Status(404)
        }
        Err(errno) => failed(connection, exchange, routed, &path, errno),
    }
}

/// The compressed file beside another.
enum Packed {
    There(File, Stat),
    /// It is there, but not for this client.
    Refused,
    No,
}

/// Looks for it (`gzip_static`).
fn packed(
    connection: &Downstream,
    exchange: &Exchange,
    routed: &Routed<'_>,
    rule: &Gzip,
    (path, links): (&[u8], Option<Links>),
) -> Packed {
    if !matches!(method(connection, exchange, routed), b"GET" | b"HEAD") {
        return Packed::No;
    }
    let is_taken =
        rule.files == GzipFiles::Always || gzip::is_taken(connection, exchange, routed, rule, &Content::default());
    if !is_taken && !rule.varies {
        return Packed::No;
    }
    match open_by(&[path, b".gz"].concat(), links) {
        Ok(Opened::File(file, stat)) if is_taken => Packed::There(file, stat),
        Ok(Opened::File(..)) => Packed::Refused,
        _ => Packed::No,
    }
}

/// The type of what a path names, by its end.
pub(crate) fn media_type<'a>(settings: &'a FileSettings, path: &[u8]) -> &'a [u8] {
    let named = end_of(path).filter(|end| end.len() <= END_MAX).and_then(|end| {
        let mut lower = [0; END_MAX];
        let lower = &mut lower[..end.len()];
        lower.copy_from_slice(end);
        lower.make_ascii_lowercase();
        settings.types.get(std::str::from_utf8(lower).ok()?)
    });
    named.unwrap_or(&settings.default_type).as_bytes()
}

/// What follows the last dot of a name, unless the name begins with it.
fn end_of(path: &[u8]) -> Option<&[u8]> {
    let start = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
    let name = &path[start..];
    let dot = memchr::memrchr(b'.', name).filter(|dot| *dot > 0)?;
    Some(&name[dot + 1..])
}

/// The path of the file system that the request's path leads to, and how much of it the folder is.
fn mapped(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>) -> Option<(Vec<u8>, usize)> {
    let Exchange { request, path, maps, record, .. } = exchange;
    let facts = connection.facts(request, routed, path, record, None);
    let mut out = Vec::new();
    let standing = facts.standing()?;
    if standing.append(&facts, &routed.site.maps, maps, &mut out) {
        let root = out.len() - standing.below().len();
        return Some((out, root));
    }
    connection.log_failure(exchange, routed, "\"alias\" cannot be used where the path was rewritten", None);
    None
}

/// Which links on a path are followed, where not all are.
fn links(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>, path: &[u8]) -> Option<Links> {
    let rule = routed.files.links.as_ref()?;
    let mut from = Vec::new();
    if let Some(text) = &rule.from {
        answer::render(connection, exchange, routed, text, &mut from);
    }
    let from = match path.strip_prefix(from.as_slice()) {
        // The path is the very one in which all are.
        Some(b"") => return None,
        Some(rest) if rest.first() == Some(&b'/') => from.len(),
        Some(_) if from.last() == Some(&b'/') => from.len() - 1,
        _ => 0,
    };
    Some(Links { are_of_owner: rule.are_of_owner, from })
}

/// Whether a path has a `..` that is not the folder's own: of a location without a slash at its end whose alias has
/// one, or of what a rule has put together. nginx follows it.
fn leads_out(path: &[u8], root: usize) -> bool {
    let mut at = path[..root].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    path[at..].split(|byte| *byte == b'/').any(|segment| {
        at += segment.len() + 1;
        segment == b".." && at - 1 > root
    })
}

/// A folder: the first of its `index` files that is there; none where there is no such.
fn folder(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>, folder: &[u8]) -> Option<Served> {
    let mut is_known = false;
    for index in &routed.files.index {
        if let Some(path) = index.as_literal().filter(|name| name.first() == Some(&b'/')) {
            return Some(go_to(connection, exchange, path.to_vec(), None));
        }
        let mut file = folder.to_vec();
        answer::render(connection, exchange, routed, index, &mut file);
        let links = links(connection, exchange, routed, &file);
        match open::look(&file, links) {
            Ok(_) => {
                let mut path = exchange.path.clone();
                path.extend_from_slice(&file[folder.len()..]);
                return Some(go_to(connection, exchange, path, None));
            }
            Err(Errno::NOENT) if is_known => {}
            Err(Errno::NOENT) => match open::look(folder, links) {
                Ok(stat) if open::is_folder(&stat) => is_known = true,
                Ok(_) => {
                    log(connection, exchange, routed, folder, "is not a directory");
                    return Some(Served::Status(500));
                }
                Err(errno) => return Some(absent(connection, exchange, routed, folder, errno)),
            },
            Err(errno) => return Some(absent(connection, exchange, routed, &file, errno)),
        }
    }
    None
}

/// A folder without an index: the list of what is in it, where that is asked for, else 403.
async fn list(connection: &mut Downstream, exchange: &mut Exchange, routed: &Routed<'_>, folder: &[u8]) -> Served {
    let listing = routed.settings.files.listing;
    if !listing.is_on || method(connection, exchange, routed) == b"POST" {
        log(connection, exchange, routed, folder, "is forbidden: it is a directory without an index");
        return Served::Status(403);
    }
    let callback = match listing.format {
        ListFormat::Jsonp => callback(connection, exchange, routed),
        _ => None,
    };
    if let Some(what) = callback.as_deref().and_then(listing::fault_of) {
        connection.log_info(exchange, routed, what);
        return Served::Status(400);
    }
    match listing::list(folder, &exchange.path, listing, callback.as_deref()) {
        Ok((body, media_type)) => {
            let status = exchange.record.detour.status_of(200);
            let answer = Answer { media_type, ..Answer::new(status, &body) };
            Served::Done(answer::send(connection, exchange, routed, &answer).await)
        }
        Err(error) => {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            absent(connection, exchange, routed, folder, errno)
        }
    }
}

/// The function that the client wants a list put into a call of.
fn callback(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>) -> Option<Vec<u8>> {
    let facts = connection.facts(&exchange.request, routed, &exchange.path, &exchange.record, None);
    route::argument(facts.args(), b"callback").filter(|name| !name.is_empty()).map(<[u8]>::to_vec)
}

/// Sends the request on within its server: to another path, with its arguments or others.
fn go_to(connection: &Downstream, exchange: &mut Exchange, path: Vec<u8>, args: Option<&[u8]>) -> Served {
    let head = connection.head_bytes();
    let detour = &mut exchange.record.detour;
    if let Some(args) = args.or_else(|| (!detour.is_changed).then(|| exchange.request.path_and_query(head).1)) {
        detour.args.clear();
        detour.args.extend_from_slice(args);
    }
    detour.is_changed = true;
    detour.is_internal = true;
    detour.has_left = false;
    exchange.path = path;
    Served::Moved(Entry::Server)
}

/// The request's path with a slash behind it, and its arguments.
fn with_slash(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>) -> Vec<u8> {
    let facts = connection.facts(&exchange.request, routed, &exchange.path, &exchange.record, None);
    let mut address = Vec::new();
    route::append_escaped(&exchange.path, &mut address);
    address.push(b'/');
    if !facts.args().is_empty() {
        address.push(b'?');
        address.extend_from_slice(facts.args());
    }
    address
}

/// What becomes of a request whose file cannot be opened.
fn failed(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>, path: &[u8], errno: Errno) -> Served {
    let status = status_of(errno);
    if status != 404 || routed.settings.files.log_not_found {
        let what = format!("open() \"{}\" failed ({})", shown(path), reason(errno));
        connection.log_failure(exchange, routed, &what, None);
    }
    Served::Status(status)
}

/// The same for one that stands for a folder, and for the folder.
fn absent(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>, path: &[u8], errno: Errno) -> Served {
    let status = status_of(errno);
    match status {
        403 => log(connection, exchange, routed, path, &format!("is forbidden ({})", reason(errno))),
        404 if !routed.settings.files.log_not_found => {}
        _ => log(connection, exchange, routed, path, &format!("is not found ({})", reason(errno))),
    }
    Served::Status(status)
}

fn status_of(errno: Errno) -> u16 {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::INVAL => 404,
        Errno::ACCESS | Errno::PERM | Errno::LOOP => 403,
        _ => 500,
    }
}

fn log(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>, path: &[u8], what: &str) {
    connection.log_failure(exchange, routed, &format!("\"{}\" {what}", shown(path)), None);
}

/// A path as the log has it: what stands within quotes must not end them.
fn shown(path: &[u8]) -> String {
    let mut out = Vec::new();
    crate::log::escape(path, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// `2: No such file or directory`.
fn reason(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    format!("{}: {}", errno.raw_os_error(), text.split(" (os error").next().unwrap_or_default())
}

/// What a file's head tells of it: when it was modified, and its tag, which may be empty.
fn validators(stat: &Stat, settings: &FileSettings) -> (u64, Vec<u8>) {
    let modified = u64::try_from(stat.st_mtime).unwrap_or(0);
    let etag = if settings.etag { format!("\"{modified:x}-{:x}\"", stat.st_size) } else { String::new() };
    (modified, etag.into_bytes())
}

fn append_validators(modified: Option<u64>, etag: &[u8], out: &mut Vec<u8>) {
    if let Some(modified) = modified {
        out.extend_from_slice(b"Last-Modified: ");
        encode::date(out, modified);
        out.extend_from_slice(b"\r\n");
    }
    if !etag.is_empty() {
        encode::field(out, b"ETag", etag);
    }
}

#[cfg(test)]
mod tests {
    use super::{end_of, leads_out};

    #[test]
    fn paths_do_not_lead_out_of_their_folder() {
        let table = [
            ("/www", "/a/b", false),
            ("/www/", "../secret", true),
            ("/www", "../a", false),
            ("/www", "/a/../../secret", true),
            ("/www/", "a/..", true),
            ("/www/..", "/a", false),
            ("/www/..", "", false),
            ("/www/.", "./a", true),
            ("/www/", "..a/...", false),
            ("", "/..", true),
        ];
        for (root, below, expected) in table {
            assert_eq!(leads_out(format!("{root}{below}").as_bytes(), root.len()), expected, "{root} {below}");
        }
    }

    #[test]
    fn names_have_ends() {
        let table: [(&str, Option<&str>); 8] = [
            ("/a.html", Some("html")),
            ("/a.tar.gz", Some("gz")),
            ("/a.b/c", None),
            ("/.htaccess", None),
            ("/a/.b.c", Some("c")),
            ("/a.", Some("")),
            ("/", None),
            ("", None),
        ];
        for (path, expected) in table {
            assert_eq!(end_of(path.as_bytes()), expected.map(str::as_bytes), "{path}");
        }
    }
}
