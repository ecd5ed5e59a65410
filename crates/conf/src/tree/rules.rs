//! Rules about a request that come before its content: `set`, `if`, `rewrite`, `break`, `return`.

use super::{Handler, LocationSettings, Pattern};
use crate::shared::Shared;
use crate::template::Template;

/// A rule about a request.
#[derive(Debug, Clone)]
pub enum Rule {
    /// `set $NAME VALUE`.
    Set {
        /// The variable, in lower case and without its `$`: one of [`super::Http::variables`], a map's, or `args`.
        variable: String,
        /// Its value.
        value: Template,
    },
    /// `rewrite`.
    Rewrite(Box<Rewrite>),
    /// `return`.
    Return(Return),
    /// `break`.
    Break,
    /// `if`.
    If(Box<If>),
}

/// `rewrite PATTERN REPLACEMENT [FLAG]`.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// What the path must match.
    pub pattern: Pattern,
    /// The new path, or the address that the client is sent to.
    pub path: Template,
    /// The new arguments, where a `?` is written.
    pub args: Option<Template>,
    /// Whether the request's arguments follow: not behind a `?` at the end.
    pub keeps_args: bool,
    /// What comes next.
    pub then: AfterRewrite,
}

/// What comes after a `rewrite` that has matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRewrite {
    /// The next rule, and after the last one the location of the new path.
    GoOn,
    /// `last`: the location of the new path.
    Last,
    /// `break`: the content of this location.
    Break,
    /// `redirect`, `permanent` and whole addresses: an answer of this status.
    Redirect(u16),
}

/// `if (CONDITION) { ... }`.
#[derive(Debug, Clone)]
pub struct If {
    /// When it holds.
    pub condition: Condition,
    /// The rules in it.
    pub rules: Vec<Rule>,
    /// Within a location, the handler and the settings that hold from then on; inherited ones included.
    pub content: Option<(Handler, Shared<LocationSettings>)>,
}

/// The condition of an `if`.
#[derive(Debug, Clone)]
pub struct Condition {
    /// What is looked at: the value of a variable, or a path.
    pub subject: Template,
    /// How.
    pub test: Test,
    /// Whether it holds where the test fails.
    pub is_negated: bool,
}

/// How a condition looks at its subject.
#[derive(Debug, Clone)]
pub enum Test {
    /// It is neither empty nor `0`.
    IsTrue,
    /// `=`.
    Equals(Template),
    /// `~`, `~*`.
    Matches(Pattern),
    /// `-f`, `-d`, `-e`, `-x`.
    Path(PathTest),
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathTest {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// Anything.
    Anything,
    /// Something that this process may execute.
    Executable,
}

/// `return CODE [TEXT]`, `return URL`.
#[derive(Debug, Clone)]
pub struct Return {
    /// The status.
    pub status: u16,
    /// The body, or for 301, 302, 303, 307 and 308 the address to go to.
    pub text: Option<Template>,
}
