//! `sticky`: the server that has a request's session comes before the one that would be its turn.
//!
//! `sticky cookie` and `sticky learn`, and a map of clone ids that is learnt, are to come.

use super::{Apply, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::build::{Call, Cx, Outcome, UpstreamDraft};
use crate::template::Template;
use crate::tree::Sticky;

pub(super) const DIRECTIVES: &[Directive] = &[Directive {
    name: "sticky",
    contexts: Contexts::UPSTREAM,
    takes: Takes::at_least(1),
    repeats: false,
    default: "",
    doc: "Sends a request to the server that has its session: the one whose route is among the clone ids of Liberty's \
          cookie (cookie=NAME where it is not JSESSIONID) or of ;jsessionid= in the address, or the one whose route \
          the first variable gives that is not empty.",
    example: "sticky route $cookie_route $arg_route;",
    apply: Apply::Upstream(sticky),
}];

const KINDS: [&str; 4] = ["liberty", "route", "cookie", "learn"];
const COOKIE: &str = "JSESSIONID";

fn sticky(draft: &mut UpstreamDraft, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let sticky = match call.text(0) {
        "liberty" => liberty(call)?,
        "route" => Sticky::Route(routes(call, cx)?),
        "cookie" | "learn" => return Err(call.not_yet(0, "affinity by a cookie of the balancer's own, or learnt")),
        _ => return Err(call.unknown_word(0, "kind of affinity", KINDS)),
    };
    draft.sticky = Some((sticky, call.node.name.place.clone()));
    Ok(())
}

fn liberty(call: &Call<'_>) -> Result<Sticky, Diagnostic> {
    let mut cookie = COOKIE.to_owned();
    for index in 1..call.args().len() {
        match call.text(index).split_once('=') {
            Some(("cookie", "")) => return Err(call.invalid(index, "a cookie has a name")),
            Some(("cookie", name)) => name.clone_into(&mut cookie),
            Some(("state", _)) => return Err(call.not_yet(index, "clone ids that are learnt")),
            _ => return Err(call.unknown_word(index, "parameter of \"sticky liberty\"", ["cookie=", "state="])),
        }
    }
    Ok(Sticky::Liberty { cookie })
}

fn routes(call: &Call<'_>, cx: &mut Cx<'_>) -> Result<Vec<Template>, Diagnostic> {
    let variables = &call.args()[1..];
    if variables.is_empty() {
        let message = "\"sticky route\" names no variable";
        let help = "write the variables that may hold a route, such as \"sticky route $cookie_route;\"";
        return Err(Diagnostic::error("wrong-arguments", &call.word(0).place, message).help(help));
    }
    variables.iter().map(|word| cx.template(word)).collect()
}
