//! What a script throws, as the user is shown it: the message, and where in the script it came from.

use rquickjs::function::This;
use rquickjs::{Array, Coerced, Ctx, Exception, Function, Object, Result, Value};

use super::host::host;

/// Something that ended a script's function early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Thrown {
    pub(crate) why: Why,
    /// The message, then a line for each place of the stack.
    pub(crate) text: String,
}

/// Why a function ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// An exception.
    Exception,
    /// An exception in an async function.
    Rejection,
    /// It was cut off.
    Interrupted,
}

impl Thrown {
    /// An exception without a place.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { why: Why::Exception, text: text.into() }
    }

    /// What an error of the engine's is.
    #[allow(clippy::needless_pass_by_value, reason = "for map_err")]
    pub(super) fn of(ctx: &Ctx<'_>, error: rquickjs::Error) -> Self {
        let is_killed = host(ctx).is_killed();
        let text = if error.is_exception() { describe(&ctx.catch()) } else { error.to_string() };
        let why = if is_killed { Why::Interrupted } else { Why::Exception };
        Self { why, text }
    }

    /// What a promise was rejected with.
    pub(super) fn rejection(ctx: &Ctx<'_>, error: rquickjs::Error) -> Self {
        match Self::of(ctx, error) {
            thrown if thrown.why == Why::Interrupted => thrown,
            thrown => Self { why: Why::Rejection, text: format!("Uncaught (in promise) {}", thrown.text) },
        }
    }

    /// A thrown value as it is shown.
    pub(super) fn shown(value: &Value<'_>) -> String {
        describe(value)
    }

    /// The first place of the stack: file, line and column.
    pub(crate) fn place(&self) -> Option<(&str, usize, usize)> {
        let of = |line: &str| line.find("file://").or_else(|| line.find("https://"));
        let line =
            self.text.lines().filter(|line| line.trim_start().starts_with("at ")).find(|line| of(line).is_some())?;
        let from = of(line)?;
        let inside = line[from..].trim_end_matches(')').trim_end();
        let (rest, column) = inside.rsplit_once(':')?;
        let (file, line) = rest.rsplit_once(':')?;
        Some((file, line.parse().ok()?, column.parse().ok()?))
    }
}

fn describe(value: &Value<'_>) -> String {
    let Some(exception) = value.as_object().cloned().and_then(Exception::from_object) else {
        return value.get::<Coerced<String>>().map_or_else(|_| super::inspect::shown(value), |text| text.0);
    };
    let mut text = heading(&exception);
    let stack = exception.stack().unwrap_or_default();
    for place in stack.lines().map(str::trim).filter(|line| line.starts_with("at ")) {
        text.push_str("\n\t");
        text.push_str(place);
    }
    text.push('\n');
    text
}

/// `Error: message`.
fn heading(exception: &Object<'_>) -> String {
    let part = |name: &str| exception.get::<_, Coerced<String>>(name).map(|text| text.0).unwrap_or_default();
    let has_message = exception.contains_key("message").unwrap_or(false);
    let (name, message) = (part("name"), if has_message { part("message") } else { String::new() });
    if message.is_empty() { name } else { format!("{name}: {message}") }
}

/// Has `error.stack` be what k6 shows, with places as they are in the script's text.
pub(super) fn install(ctx: &Ctx<'_>) -> Result<()> {
    let error: Object<'_> = ctx.globals().get("Error")?;
    error.set("prepareStackTrace", Function::new(ctx.clone(), stack)?)
}

#[allow(clippy::needless_pass_by_value, reason = "the engine hands arguments over by value")]
fn stack<'js>(ctx: Ctx<'js>, error: Value<'js>, sites: Array<'js>) -> String {
    let program = &host(&ctx).program;
    let mut text = error.as_object().map(heading).unwrap_or_default();
    for site in sites.iter::<Object<'js>>().flatten() {
        text.push_str("\n\t");
        text.push_str(&program.placed(&place(&site)));
    }
    text.push('\n');
    text
}

/// One place of a stack: `at f (file:///a.js:1:2)`.
fn place<'js>(site: &Object<'js>) -> String {
    let ask = |name: &str| -> Result<Value<'js>> {
        let function: Function<'js> = site.get(name)?;
        function.call((This(site.clone()),))
    };
    let text = |name: &str| ask(name).ok().and_then(|value| value.get::<Option<String>>().ok().flatten());
    let number = |name: &str| ask(name).ok().and_then(|value| value.get::<Option<i32>>().ok().flatten());
    let name = text("getFunctionName").filter(|name| !name.is_empty()).unwrap_or_else(|| "<anonymous>".to_owned());
    match (text("getFileName"), number("getLineNumber"), number("getColumnNumber")) {
        (Some(file), Some(line), Some(column)) => format!("at {name} ({file}:{line}:{column})"),
        _ => format!("at {name} (native)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_is_found() {
        let thrown =
            Thrown::new("Error: x\n\tat fail (native)\n\tat f (file:///a/b.js:3:14)\n\tat file:///a/b.js:9:1\n");
        assert_eq!(thrown.place(), Some(("file:///a/b.js", 3, 14)));
        assert_eq!(Thrown::new("x").place(), None);
    }
}
