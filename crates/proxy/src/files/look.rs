//! `try_files`: the first of some paths that is there, else where the request goes on.

use route::{TryFiles, TryLast};
use rustix::io::Errno;

use super::{go_to, leads_out, links, mapped, open, reason, shown};
use crate::answer;
use crate::detour::Entry;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::request::{Routed, Served};

/// Looks for the paths; none where the request is served where it is, with the path that was found.
pub(crate) fn look(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    tries: &TryFiles,
) -> Option<Served> {
    // As in nginx, what stands before the names is the same for all of them.
    let Some((path, root)) = mapped(connection, exchange, routed) else { return Some(Served::Status(500)) };
    let replaced = routed.files.replaced(&exchange.path).len();
    let root = &path[..root];
    for tried in &tries.paths {
        let mut name = Vec::new();
        answer::render(connection, exchange, routed, &tried.path, &mut name);
        // A name that begins as the location does has that replaced, too.
        let prefix = &exchange.path[..replaced.min(exchange.path.len())];
        let is_alias = !routed.files.is_root() && !routed.files.is_whole();
        let below = if is_alias && name.starts_with(prefix) { &name[replaced..] } else { &name[..] };
        let mut file = root.to_vec();
        file.extend_from_slice(below);
        if leads_out(&file, root.len()) {
            continue;
        }
        let links = links(connection, exchange, routed, &file);
        match open::look(&file, links) {
            Ok(stat) if open::is_folder(&stat) == tried.is_folder => {
                let below = below.to_vec();
                take(exchange, routed, below, replaced, tried.is_folder);
                return None;
            }
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG) => {}
            Err(errno) => {
                let what = format!("stat() \"{}\" failed ({})", shown(&file), reason(errno));
                connection.log_failure(exchange, routed, &what, None);
            }
        }
    }
    Some(last(connection, exchange, routed, &tries.last))
}

/// Gives the request the path that was found.
fn take(exchange: &mut Exchange, routed: &Routed<'_>, below: Vec<u8>, replaced: usize, is_folder: bool) {
    if routed.files.is_root() {
        exchange.path = below;
    } else if !routed.files.is_whole() {
        exchange.path.truncate(replaced);
        exchange.path.extend_from_slice(&below);
    } else if !is_folder {
        exchange.path = below;
        exchange.record.detour.is_below_alias = true;
    }
}

fn last(connection: &mut Downstream, exchange: &mut Exchange, routed: &Routed<'_>, last: &TryLast) -> Served {
    let text = match last {
        TryLast::Status(status) => return Served::Status(*status),
        TryLast::Target(text) => text,
    };
    let mut target = Vec::new();
    answer::render(connection, exchange, routed, text, &mut target);
    if target.first() == Some(&b'@') {
        return match routed.server.named_location(&target[1..]) {
            Some(index) => {
                exchange.record.detour.is_internal = true;
                Served::Moved(Entry::Named(index))
            }
            None => {
                let what = format!("could not find named location \"{}\"", shown(&target));
                connection.log_failure(exchange, routed, &what, None);
                Served::Status(500)
            }
        };
    }
    let (path, args) = route::split_target(&target);
    go_to(connection, exchange, path.to_vec(), Some(args))
}
