//! Directives to the typed tree: which may be where, how often, with what; inheritance; what refers to what.
//!
//! The meaning of each directive is in `table`. Here are the blocks, each of which reads its simple directives first
//! and the blocks in it afterwards, so that what is inherited is complete when a lower block copies it, wherever in the
//! upper block it was written.

mod api;
mod buffers;
mod call;
mod charsets;
mod cx;
mod draft;
mod files;
mod geo;
mod health;
mod http;
mod listens;
mod location;
mod map;
mod pattern;
mod proxy;
mod rules;
mod split;
mod sticky;

use std::path::Path;

pub(crate) use call::{Call, Outcome};
pub(crate) use cx::{Cx, Facts, NamedZone, ProxyFacts, UpstreamFacts, zone_named};
pub(crate) use draft::{Actions, HealthDraft, Inherited, ListenDraft, MainDraft, ServerDraft, UpstreamDraft};
pub(crate) use files::{path_template, path_template_below};
pub(crate) use map::pattern_of;
pub(crate) use pattern::{compiled, settable};

use crate::diagnostic::{Diagnostic, Severity};
use crate::lexer::Word;
use crate::loader::{Loader, NeededFile, Options};
use crate::parser::Node;
use crate::span::Place;
use crate::suggest;
use crate::table::{self, Apply, Block, Contexts, Directive, Found, Ignored};
use crate::tree::{Config, Events};

/// nginx's own default of `listen ... backlog`.
pub(crate) const DEFAULT_BACKLOG: u32 = 511;

/// What building gives. The tree is worth something only if there were no errors.
pub(crate) struct Built {
    pub(crate) config: Config,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) needs: Vec<NeededFile>,
    pub(crate) writes: Vec<NeededFile>,
    pub(crate) reads: Vec<NeededFile>,
    pub(crate) facts: Facts,
    /// Files read beside those of `include`.
    pub(crate) files: Vec<(std::path::PathBuf, String)>,
}

/// Builds the tree of a whole configuration.
pub(crate) fn build(nodes: &[Node], path: &Path, loader: &dyn Loader, options: &Options) -> Built {
    let mut cx = Cx::new(path, loader, options);
    let mut main = draft::main(options);
    let mut blocks = Vec::new();
    each(nodes, Contexts::MAIN, &mut cx, |directive, call, cx| match directive.apply {
        Apply::Main(apply) => apply(&mut main, call, cx),
        Apply::Block(block) => {
            blocks.push((block, call.node));
            Ok(())
        }
        _ => Ok(()),
    });
    let mut config = Config { main, events: Events { worker_connections: 512 }, http: crate::tree::Http::default() };
    let mut has_events = false;
    for (block, node) in blocks {
        let inner = node.block.as_deref().unwrap_or_default();
        match block {
            Block::Events => {
                has_events = true;
                events(inner, &mut config.events, &mut cx);
            }
            Block::Http => config.http = http::build(inner, &config.main, &mut cx),
            _ => {}
        }
    }
    if !has_events {
        cx.report(no_events(path, nodes));
    }
    let Cx { mut diagnostics, needs, writes, reads, facts, files, errors_dropped, .. } = cx;
    if errors_dropped > 0 {
        let place = Place { file: std::sync::Arc::new(path.to_path_buf()), ..Place::default() };
        let message = format!("{errors_dropped} more errors are not shown");
        diagnostics.push(Diagnostic::error("too-many-errors", &place, message));
    }
    Built { config, diagnostics, needs, writes, reads, facts, files }
}

fn events(nodes: &[Node], events: &mut Events, cx: &mut Cx<'_>) {
    each(nodes, Contexts::EVENTS, cx, |directive, call, cx| match directive.apply {
        Apply::Events(apply) => apply(events, call, cx),
        _ => Ok(()),
    });
}

fn no_events(path: &Path, nodes: &[Node]) -> Diagnostic {
    let start = Place { file: std::sync::Arc::new(path.to_path_buf()), line: 1, column: 1, length: 1 };
    let place = nodes.first().map_or(&start, |node| &node.name.place);
    let message = "there is no \"events\" block, which nginx demands";
    Diagnostic::error("no-events", place, message).help("add \"events { }\", outside of \"http\"")
}

/// Checks each directive of a block and runs those that may be there.
fn each<'n>(
    nodes: &'n [Node],
    context: Contexts,
    cx: &mut Cx<'_>,
    mut run: impl FnMut(&'static Directive, &Call<'n>, &mut Cx<'_>) -> Outcome,
) {
    // Blocks hold few different directives: looking through them is faster than a hash.
    let mut seen: Vec<(&'static str, &'n Place)> = Vec::new();
    for node in nodes {
        let Some(directive) = find(node, context, cx) else { continue };
        let before = cx.diagnostics.len();
        let first = seen.iter().find(|(name, _)| *name == directive.name).map(|(_, place)| *place);
        let call = Call { name: directive.name, node, first: first.is_none() };
        let outcome = shape(directive, node).and_then(|()| match first {
            Some(first) if !directive.repeats => Err(duplicate(node, first)),
            _ => match directive.apply {
                Apply::NoEffect(reason, ignored) => no_effect(reason, ignored, &call, cx),
                _ => run(directive, &call, cx),
            },
        });
        if first.is_none() {
            seen.push((directive.name, &node.name.place));
        }
        if let Err(wrong) = outcome {
            cx.report(without_equals_sign(wrong, node));
        }
        explain_missing_semicolon(node, cx, before);
    }
}

/// `name = value;` is how other languages write it.
fn without_equals_sign(wrong: Diagnostic, node: &Node) -> Diagnostic {
    match node.args.as_slice() {
        [sign, value, ..] if sign.text == "=" && node.name.text != "location" => {
            let help = format!("no \"=\" stands between a name and its value: {} {}", node.name.text, value.shown());
            wrong.help(help)
        }
        _ => wrong,
    }
}

/// A directive without effect must be right all the same: nginx would refuse the file.
fn no_effect(reason: &str, ignored: Ignored, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    match ignored {
        Ignored::Switch => call.switch(0).map(drop),
        Ignored::Number => call.number(0, 0).map(drop),
        Ignored::Size => call.size(0).map(drop),
        Ignored::Buffers => call.number(0, 1).and_then(|_| call.size(1)).map(drop),
        Ignored::Time => call.time_ms(0).map(drop),
        Ignored::EventMethod if !["epoll", "poll", "select"].contains(&call.text(0)) => {
            return Err(call.unknown_word(0, "event method of Linux", ["epoll"]));
        }
        Ignored::Templates => call.args().iter().try_for_each(|word| cx.template(word).map(drop)),
        Ignored::EventMethod | Ignored::Text => Ok(()),
    }?;
    cx.no_effect(&call.node.name.place, call.name, reason);
    Ok(())
}

/// The declaration of a node's name, or a report.
fn find(node: &Node, context: Contexts, cx: &mut Cx<'_>) -> Option<&'static Directive> {
    let Node { name, .. } = node;
    let wrong = match table::find(&name.text, context) {
        Found::Directive(directive) => return Some(directive),
        Found::NotYet(area) => {
            let message = format!("\"{}\" is not served by bedloe yet", name.shown());
            Diagnostic::error("not-served-yet", &name.place, message).help(table::outlook(area))
        }
        Found::Misplaced(contexts) => {
            let message = format!("\"{}\" is not allowed here", name.text);
            Diagnostic::error("misplaced-directive", &name.place, message).help(format!("it belongs in: {contexts}"))
        }
        Found::Unknown => unknown(name, context, cx.wants_errors()),
    };
    cx.report(wrong);
    None
}

fn unknown(name: &Word, context: Contexts, suggest: bool) -> Diagnostic {
    let wrong = Diagnostic::error("unknown-directive", &name.place, format!("unknown directive \"{}\"", name.shown()));
    if !suggest {
        return wrong;
    }
    if name.text.starts_with("//") || name.text.starts_with("/*") {
        return wrong.help("a comment begins with \"#\"");
    }
    let here = suggest::nearest(&name.text, table::names(context));
    match here.or_else(|| suggest::nearest(&name.text, table::names(Contexts::ALL))) {
        Some(near) => wrong.help(format!("did you mean \"{near}\"?")),
        None => wrong,
    }
}

/// Whether a directive has the number of arguments, and the block, that it takes.
fn shape(directive: &Directive, node: &Node) -> Outcome {
    let takes = directive.takes;
    let count = node.args.len();
    if count < takes.least || count > takes.most {
        let word = node.args.get(takes.most).unwrap_or(&node.name);
        let message = format!("\"{}\" takes {takes}, not {count}", directive.name);
        return Err(Diagnostic::error("wrong-arguments", &word.place, message)
            .help(format!("for example: {}", directive.example)));
    }
    match (&node.block, takes.block) {
        (None, true) => {
            let message = format!("\"{}\" needs a block in braces, not \";\"", directive.name);
            Err(Diagnostic::error("block-missing", &node.name.place, message))
        }
        (Some(_), false) => {
            let message = format!("\"{}\" takes no block: it ends with \";\"", directive.name);
            Err(Diagnostic::error("block-unexpected", &node.name.place, message))
        }
        _ => Ok(()),
    }
}

fn duplicate(node: &Node, first: &Place) -> Diagnostic {
    let message = format!("\"{}\" is duplicate", node.name.text);
    let help = if first.file == node.name.place.file {
        format!("it is written in line {} already", first.line)
    } else {
        format!("it is written in {}, line {}, already", first.file.display(), first.line)
    };
    Diagnostic::error("duplicate-directive", &node.name.place, message).help(help)
}

/// A directive that runs on into the next one is wrong in many ways; say the cause, once.
fn explain_missing_semicolon(node: &Node, cx: &mut Cx<'_>, before: usize) {
    let is_error = |found: &Diagnostic| found.severity == Severity::Error;
    let Some(first) = cx.diagnostics.iter().skip(before).position(is_error).map(|index| index + before) else { return };
    let lines = node.args.iter().zip(std::iter::once(&node.name).chain(&node.args));
    let mut begins_anew = lines.filter(|(word, last)| word.place.line > last.place.line && table::is_name(&word.text));
    if let Some((word, last)) = begins_anew.next() {
        let (name, line) = (&word.text, last.place.line);
        let help = format!("is a \";\" missing at the end of line {line}? \"{name}\" begins a directive");
        cx.diagnostics[first].help = Some(help);
        cx.forget_from(first + 1);
    }
}
