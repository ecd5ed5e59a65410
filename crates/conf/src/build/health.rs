//! `match` blocks, and what of a `health_check` is known only when its whole location is read.

use super::cx::Cx;
use super::draft::{HealthDraft, Inherited};
use super::pattern::compiled;
use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;
use crate::suggest;
use crate::tree::{BodyTest, HeaderTest, HeaderValue, Match, PassTo, Pattern, ProxyPass, StatusTest};

const TESTS: [&str; 4] = ["status", "header", "body", "require"];
/// Statuses that an answer can have.
const STATUSES: std::ops::RangeInclusive<u16> = 100..=999;

/// Builds a block.
pub(super) fn block(node: &Node, cx: &mut Cx<'_>) {
    let Some(name) = node.args.first() else { return };
    if cx.matches.iter().any(|other| other.name == name.text) {
        let message = format!("the match \"{}\" is declared twice", name.shown());
        return cx.report(Diagnostic::error("duplicate-match", &name.place, message));
    }
    let mut built = Match { name: name.text.clone(), ..Match::default() };
    for line in node.block.iter().flatten() {
        if let Err(wrong) = test(&mut built, line, cx) {
            cx.report(wrong);
        }
    }
    cx.matches.push(built);
}

fn test(built: &mut Match, line: &Node, cx: &mut Cx<'_>) -> Result<(), Diagnostic> {
    let Node { name, args, block } = line;
    if block.is_some() {
        return Err(Diagnostic::error("block-unexpected", &name.place, "a test of \"match\" takes no block"));
    }
    match name.text.as_str() {
        "status" => built.statuses.push(status(name, args)?),
        "header" => built.headers.push(header(name, args)?),
        "body" => built.bodies.push(body(name, args)?),
        "require" if args.is_empty() => return Err(wrong(name, "\"require\" names no variable", "require $ready;")),
        "require" => {
            for word in args {
                built.requires.push(cx.template(word)?);
            }
        }
        _ => {
            let message = format!("\"{}\" is no test of \"match\"", name.shown());
            let found = Diagnostic::error("unknown-directive", &name.place, message);
            return Err(match suggest::nearest(&name.text, TESTS) {
                Some(near) => found.help(format!("did you mean \"{near}\"?")),
                None => found.help(format!("there are: {}", TESTS.join(", "))),
            });
        }
    }
    Ok(())
}

fn wrong(word: &Word, message: &str, example: &str) -> Diagnostic {
    Diagnostic::error("wrong-arguments", &word.place, message).help(format!("for example: {example}"))
}

fn status(name: &Word, args: &[Word]) -> Result<StatusTest, Diagnostic> {
    let is_not = args.first().is_some_and(|word| word.text == "!");
    let ranges: Vec<_> = args.iter().skip(usize::from(is_not)).map(range).collect::<Result<_, _>>()?;
    if ranges.is_empty() {
        return Err(wrong(name, "\"status\" names no status", "status 200-399;"));
    }
    Ok(StatusTest { is_not, ranges })
}

fn range(word: &Word) -> Result<(u16, u16), Diagnostic> {
    let number = |text: &str| text.parse().ok().filter(|status| text.len() == 3 && STATUSES.contains(status));
    let (first, last) = word.text.split_once('-').unwrap_or((&word.text, &word.text));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        _ => {
            let message = format!("\"{}\" is no status and no range of them", word.shown());
            Err(Diagnostic::error("invalid-value", &word.place, message)
                .help("write numbers such as 200 or 200-399, with \"!\" before all of them for others"))
        }
    }
}

/// `=`, `!=` and expressions: whether it must not be so, and the way of comparing.
fn sign(text: &str) -> Option<(bool, &str)> {
    let is_not = text.starts_with('!');
    let way = text.strip_prefix('!').unwrap_or(text);
    ["=", "~", "~*"].contains(&way).then_some((is_not, way))
}

fn pattern(way: &str, word: &Word) -> Result<Pattern, Diagnostic> {
    compiled(word, &word.text, way == "~*")
}

fn header(name: &Word, args: &[Word]) -> Result<HeaderTest, Diagnostic> {
    let (field, is_not, value) = match args {
        [field] => (field, false, HeaderValue::Any),
        [not, field] if not.text == "!" => (field, true, HeaderValue::Any),
        [field, word, value] => {
            let (is_not, way) = sign(&word.text).ok_or_else(|| unknown_sign(word, "= != ~ !~"))?;
            let value = match way {
                "=" => HeaderValue::Text(value.text.clone()),
                _ => HeaderValue::Pattern(pattern(way, value)?),
            };
            (field, is_not, value)
        }
        _ => {
            let message = "\"header\" takes a name, and perhaps a sign and a value";
            return Err(wrong(name, message, "header Content-Type = text/html;"));
        }
    };
    Ok(HeaderTest { name: field.text.clone(), is_not, value })
}

fn body(name: &Word, args: &[Word]) -> Result<BodyTest, Diagnostic> {
    let [word, value] = args else {
        return Err(wrong(name, "\"body\" takes a sign and a regular expression", "body ~ \"Welcome\";"));
    };
    match sign(&word.text).filter(|(_, way)| *way != "=") {
        Some((is_not, way)) => Ok(BodyTest { is_not, pattern: pattern(way, value)? }),
        None => Err(unknown_sign(word, "~ !~")),
    }
}

fn unknown_sign(word: &Word, signs: &str) -> Diagnostic {
    let message = format!("\"{}\" is no sign of a comparison", word.shown());
    Diagnostic::error("invalid-value", &word.place, message).help(format!("there are: {signs}"))
}

/// Completes a check by the location that it stands in, and keeps it.
pub(super) fn finish(draft: HealthDraft, proxy: Option<&ProxyPass>, level: &Inherited, cx: &mut Cx<'_>) {
    let HealthDraft { mut check, matching } = draft;
    match checked(proxy, cx) {
        Ok(upstream) => check.upstream = upstream,
        Err((message, help)) => {
            return cx.report(Diagnostic::error("health-check-without-upstream", &check.place, message).help(help));
        }
    }
    let facts = cx.facts.upstreams.iter().find(|facts| facts.upstream == check.upstream);
    if facts.is_some_and(|facts| !facts.has_zone) {
        let name = &cx.upstreams[check.upstream].name;
        let message = format!("the upstream \"{name}\" has no \"zone\", without which nginx refuses \"health_check\"");
        let help = format!("write \"zone {name} 64k;\" in the upstream");
        cx.report(Diagnostic::warning("no-zone", &check.place, message).help(help));
    }
    if let Some((name, place)) = matching {
        check.matching = cx.matches.iter().position(|other| other.name == name);
        if check.matching.is_none() {
            let found = Diagnostic::error("unknown-match", &place, format!("there is no match \"{name}\""));
            let near = suggest::nearest(&name, cx.matches.iter().map(|other| other.name.as_str()));
            let help = near.map_or_else(
                || format!("write \"match {name} {{ status 200; }}\" in \"http\""),
                |near| format!("did you mean \"{near}\"?"),
            );
            return cx.report(found.help(help));
        }
    }
    if let Some(proxy) = proxy {
        proxy.host.clone_into(&mut check.host);
        check.tls = proxy.tls;
        check.settings = proxy.settings.clone();
    }
    check.error_logs = level.settings.error_logs.clone();
    check.timeout_ms = level.health_check_timeout_ms;
    cx.health_checks.push(check);
}

/// The upstream whose servers are checked, or why there is none and what to do.
fn checked(proxy: Option<&ProxyPass>, cx: &Cx<'_>) -> Result<usize, (String, String)> {
    let Some(proxy) = proxy else {
        let message = "\"health_check\" stands where requests are passed on, and there is no \"proxy_pass\" beside it";
        return Err((message.to_owned(), "write it in the location with \"proxy_pass\"".to_owned()));
    };
    match proxy.to {
        PassTo::Variable { .. } => {
            let message = "which servers \"health_check\" is for is not known: \"proxy_pass\" has variables";
            let help = "write \"proxy_pass http://NAME;\" with the name of an upstream, in a location of its own";
            Err((message.to_owned(), help.to_owned()))
        }
        PassTo::Upstream(upstream) if cx.upstreams[upstream].declared => Ok(upstream),
        PassTo::Upstream(_) => {
            let host = &proxy.host;
            let message = format!("\"health_check\" is for the servers of an upstream, and \"{host}\" is an address");
            Err((message, format!("write \"upstream NAME {{ zone NAME 64k; server {host}; }}\", and pass to NAME")))
        }
    }
}
