//! `if`: its condition, and what is in its block.

use super::cx::Cx;
use super::draft::{Actions, Inherited};
use super::pattern::compiled;
use super::{Contexts, each};
use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;
use crate::table::Apply;
use crate::tree::{Condition, Handler, If, LimitExcept, PathTest, ProxyPass, Rule, Test};

/// The location that an `if` stands in.
pub(super) struct Around<'a> {
    pub(super) level: &'a Inherited,
    /// What is done with requests where the block does not say.
    pub(super) handler: &'a Handler,
}

/// Builds an `if`; none if its condition is wrong. In a server, which is around where nothing else is, it holds rules
/// alone.
pub(super) fn if_block(node: &Node, around: Option<Around<'_>>, cx: &mut Cx<'_>) -> Option<Rule> {
    let condition = condition(node, cx).map_err(|wrong| cx.report(wrong)).ok();
    let context = if around.is_some() { Contexts::LOCATION_IF } else { Contexts::SERVER_IF };
    let mut level = around.as_ref().map(|around| around.level.below());
    let mut actions = Actions::default();
    let block = node.block.as_deref().unwrap_or_default();
    each(block, context, cx, |directive, call, cx| match directive.apply {
        Apply::Inherited(apply) => level.as_mut().map_or(Ok(()), |level| apply(level, call, cx)),
        Apply::Action(apply) => apply(&mut actions, call, cx),
        _ => Ok(()),
    });
    refuse_uri(node, actions.proxy.as_ref(), "if", cx);
    if let (Some(level), Some(proxy)) = (&level, &mut actions.proxy) {
        super::proxy::finish(proxy, level, &node.name.place, cx);
    }
    let content = around.zip(level).map(|(around, level)| {
        let handler = actions.proxy.map_or_else(|| around.handler.clone(), Handler::Proxy);
        (handler, level.settings)
    });
    Some(Rule::If(Box::new(If { condition: condition?, rules: actions.rules, content })))
}

/// There is no path of a location that a URI could take the place of.
fn refuse_uri(node: &Node, proxy: Option<&ProxyPass>, within: &str, cx: &mut Cx<'_>) {
    if let Some(ProxyPass { uri: Some(_), .. }) = proxy {
        let pass = node.block.iter().flatten().find(|inner| inner.name.text == "proxy_pass");
        let place = pass.and_then(|pass| pass.args.first()).map_or(&node.name.place, |word| &word.place);
        let message = format!("\"proxy_pass\" cannot have a URI inside of \"{within}\"");
        cx.report(Diagnostic::error("invalid-value", place, message));
    }
}

/// Builds a `limit_except`.
pub(super) fn limit_except(node: &Node, around: &Around<'_>, cx: &mut Cx<'_>) -> LimitExcept {
    let mut methods = Vec::new();
    for word in &node.args {
        methods.push(word.text.to_ascii_uppercase());
        if word.text.eq_ignore_ascii_case("get") {
            methods.push("HEAD".to_owned());
        }
    }
    let mut level = around.level.below();
    let mut actions = Actions::default();
    each(node.block.as_deref().unwrap_or_default(), Contexts::LIMIT_EXCEPT, cx, |directive, call, cx| match directive
        .apply
    {
        Apply::Inherited(apply) => apply(&mut level, call, cx),
        Apply::Action(apply) => apply(&mut actions, call, cx),
        _ => Ok(()),
    });
    refuse_uri(node, actions.proxy.as_ref(), "limit_except", cx);
    if let Some(proxy) = &mut actions.proxy {
        super::proxy::finish(proxy, &level, &node.name.place, cx);
    }
    let handler = actions.proxy.map_or_else(|| around.handler.clone(), Handler::Proxy);
    LimitExcept { methods, content: (handler, level.settings) }
}

/// What stands between the parentheses, which may touch the words at their sides.
fn condition(node: &Node, cx: &mut Cx<'_>) -> Result<Condition, Diagnostic> {
    let help = "for example: if ($request_method = POST), if ($host ~ ^www), if (-f $request_filename), if ($http_x)";
    let wrong = |word: &Word, what: &str| {
        Diagnostic::error("invalid-condition", &word.place, format!("{what} in the condition of \"if\"")).help(help)
    };
    let words = within_parentheses(&node.args)
        .ok_or_else(|| wrong(node.args.first().unwrap_or(&node.name), "a parenthesis is missing"))?;
    match words.as_slice() {
        [subject] if subject.text.starts_with('$') => {
            Ok(Condition { subject: variable(subject, cx)?, test: Test::IsTrue, is_negated: false })
        }
        [sign, path] if sign.text.starts_with(['-', '!']) => {
            let bare = sign.text.trim_start_matches('!');
            let test = match bare {
                "-f" => PathTest::File,
                "-d" => PathTest::Folder,
                "-e" => PathTest::Anything,
                "-x" => PathTest::Executable,
                _ => return Err(wrong(sign, "unexpected sign")),
            };
            let is_negated = bare.len() < sign.text.len();
            Ok(Condition { subject: cx.template(path)?, test: Test::Path(test), is_negated })
        }
        [subject, sign, value] if subject.text.starts_with('$') => {
            let subject = variable(subject, cx)?;
            let is_negated = sign.text.starts_with('!');
            let test = match sign.text.as_str() {
                "=" | "!=" => Test::Equals(cx.template(value)?),
                "~" | "!~" => Test::Matches(compiled(value, &value.text, false)?),
                "~*" | "!~*" => Test::Matches(compiled(value, &value.text, true)?),
                _ => return Err(wrong(sign, "unexpected sign")),
            };
            Ok(Condition { subject, test, is_negated })
        }
        [] => Err(wrong(&node.name, "nothing stands")),
        [first, ..] => Err(wrong(first, "a variable, -f, -d, -e or -x must come first")),
    }
}

/// One variable and nothing else.
fn variable(word: &Word, cx: &mut Cx<'_>) -> Result<crate::template::Template, Diagnostic> {
    let template = cx.template(word)?;
    match template.parts.as_slice() {
        [_] => Ok(template),
        _ => {
            let message = format!("\"{}\" in the condition of \"if\" is not one variable", word.shown());
            let help = "put the text together with \"set\" before it";
            Err(Diagnostic::error("invalid-condition", &word.place, message).help(help))
        }
    }
}

fn within_parentheses(args: &[Word]) -> Option<Vec<Word>> {
    let mut words = args.to_vec();
    let first = words.first_mut()?;
    *first = first.behind("(")?;
    let last = words.last_mut()?;
    last.text = last.text.strip_suffix(')')?.to_owned();
    // Where a parenthesis stands by itself nothing of its word is left; an empty value is in quotes, and stays.
    let alone = |word: Option<&Word>| word.is_some_and(|word| matches!(word.text.as_str(), "(" | ")"));
    if alone(args.last()) {
        words.pop();
    }
    if alone(args.first()) && !words.is_empty() {
        words.remove(0);
    }
    Some(words)
}
