//! What belongs to `api`: whether changes by it are safe from strangers, and the servers that a `state` file holds.

use std::io;

use super::cx::Cx;
use super::draft::UpstreamDraft;
use super::{Contexts, each};
use crate::diagnostic::Diagnostic;
use crate::parser;
use crate::span::Place;
use crate::table::Apply;
use crate::tree::{AccessSettings, Handler, ListenAddress, Location, Server};

/// Warns of each location that changes servers for whoever can reach it. Such changes are refused while it runs.
pub(super) fn check(server: &Server, cx: &mut Cx<'_>) {
    let is_unix = |address: &ListenAddress| matches!(address, ListenAddress::Unix(_));
    let all_unix = server.listens.iter().all(|listen| is_unix(&listen.address));
    if !all_unix {
        let has_unix = server.listens.iter().any(|listen| is_unix(&listen.address));
        check_locations(&server.locations, has_unix, cx);
    }
}

fn check_locations(locations: &[Location], has_unix: bool, cx: &mut Cx<'_>) {
    for location in locations {
        let is_open = |content: &Handler, access: &AccessSettings| {
            matches!(content, Handler::Api(api) if api.writes) && !access.is_safe_for_changes()
        };
        if is_open(&location.handler, &location.settings.access) {
            cx.report(unsafe_changes(&location.place, has_unix));
        }
        check_locations(&location.locations, has_unix, cx);
    }
}

fn unsafe_changes(place: &Place, has_unix: bool) -> Diagnostic {
    let changes = if has_unix { "changes that come by an IP address" } else { "all changes" };
    let message = format!("\"api write=on\" answers here without a password: {changes} are refused");
    let help = "write \"auth_basic\", \"auth_basic_user_file\", \"allow\" and \"deny all;\" here, or listen on a unix \
                socket";
    Diagnostic::warning("api-unprotected", place, message).help(help)
}

/// Adds the servers of the upstream's `state` file; one that is not there holds none.
pub(super) fn read_state(draft: &mut UpstreamDraft, cx: &mut Cx<'_>) {
    let Some((path, place)) = draft.state.clone() else { return };
    if !draft.servers.is_empty() || !draft.resolved.is_empty() {
        let message = "\"state\" stands beside \"server\": servers are in one or the other";
        let help = "remove the servers, and add them with \"bedloe upstream add\"; the file keeps them";
        return cx.report(Diagnostic::error("state-beside-servers", &place, message).help(help));
    }
    if draft.zone.is_none() {
        let message = "\"state\" needs a \"zone\" in its upstream, as in nginx";
        let help = "write \"zone NAME 64k;\" in the upstream";
        return cx.report(Diagnostic::error("no-zone", &place, message).help(help));
    }
    match cx.loader().read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            let message = format!("cannot read the state file {}: {error}", path.display());
            return cx.report(Diagnostic::error("file-unreadable", &place, message));
        }
        Ok(_) => {}
    }
    let mut diagnostics = Vec::new();
    let parsed = parser::parse(&path, None, cx.loader(), &mut diagnostics);
    diagnostics.into_iter().for_each(|found| cx.report(found));
    cx.files.extend(parsed.files);
    each(&parsed.nodes, Contexts::UPSTREAM, cx, |directive, call, cx| match directive.apply {
        Apply::Upstream(apply) if directive.name == "server" => apply(draft, call, cx),
        _ => {
            let message = format!("\"{}\" stands in a state file, which holds servers alone", directive.name);
            Err(Diagnostic::error("misplaced-directive", &call.node.name.place, message))
        }
    });
}
