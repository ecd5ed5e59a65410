//! Pages about the balancer itself, as content of a location.

use super::{Apply, Contexts, Directive, Takes};
use crate::build::{Actions, Call, Outcome};
use crate::tree::{Handler, Page};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "stub_status",
        contexts: Contexts::PLACES,
        takes: Takes::between(0, 1),
        repeats: false,
        default: "",
        doc: "Answers with counts of connections and requests, as text.",
        example: "stub_status;",
        // nginx takes one word here, for configurations of its first versions, and does not look at it.
        apply: Apply::Action(|actions, call, _| page(actions, call, Page::StubStatus)),
    },
    Directive {
        name: "prometheus",
        contexts: Contexts::LOCATION,
        takes: Takes::exactly(0),
        repeats: false,
        default: "",
        doc: "Answers with all that is counted, in Prometheus's text format: see docs/metrics.md.",
        example: "prometheus;",
        apply: Apply::Action(|actions, call, _| page(actions, call, Page::Prometheus)),
    },
    Directive {
        name: "dashboard",
        contexts: Contexts::LOCATION,
        takes: Takes::exactly(0),
        repeats: false,
        default: "",
        doc: "Answers with a page about the balancer, its servers and their hosts: see docs/dashboard.md.",
        example: "dashboard;",
        apply: Apply::Action(|actions, call, _| page(actions, call, Page::Dashboard)),
    },
];

fn page(actions: &mut Actions, call: &Call<'_>, page: Page) -> Outcome {
    actions.contents.push((Handler::Page(page), page.name(), call.node.name.place.clone()));
    Ok(())
}
