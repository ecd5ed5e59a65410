//! The rules of a server or a location (`set`, `if`, `rewrite`, `break`, `return`), compiled to a flat list of steps.

use conf::tree::{self, AfterRewrite, PathTest};

use crate::fact::Facts;
use crate::location::{Location, Return};
use crate::map::{Maps, Scratch};
use crate::names::Names;
use crate::normalize::hex;
use crate::patterns::Patterns;
use crate::text::Text;

/// Rules in the order they are followed.
#[derive(Debug, Default)]
pub struct Rules {
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Set(Variable, Text),
    Rewrite(Box<Rewrite>),
    Return(Return),
    Break,
    /// Skips so many steps unless the condition holds.
    Unless(Condition, usize),
    /// From here on this holds in place of the location.
    Enter(Box<Location>),
}

/// What `set` sets.
#[derive(Debug, Clone, Copy)]
pub enum Variable {
    /// One of the configuration's own.
    Own(usize),
    /// That of a map, whatever the map says.
    Map(usize),
    /// The request's arguments.
    Args,
    /// The pace of the answer.
    LimitRate,
}

#[derive(Debug)]
struct Rewrite {
    pattern: usize,
    path: Text,
    args: Option<Text>,
    keeps_args: bool,
    then: AfterRewrite,
    /// Whether arguments that follow stand behind others.
    has_args: bool,
}

#[derive(Debug)]
struct Condition {
    subject: Text,
    test: Test,
    is_negated: bool,
}

#[derive(Debug)]
enum Test {
    IsTrue,
    Equals(Text),
    Matches(usize),
    Path(PathTest),
}

/// A request that rules look at and change.
pub trait Subject: Facts {
    /// The path that it has now, decoded.
    fn path(&self) -> &[u8];
    /// Whether the client's path had an escape or a plus: what is captured of it is escaped where it becomes part of
    /// an argument, as in nginx.
    fn was_escaped(&self) -> bool;
    /// Appends the arguments that it has now.
    fn append_args(&self, out: &mut Vec<u8>);
    /// Gives it another path; taken out of the buffer, which may get the old one.
    fn set_path(&mut self, path: &mut Vec<u8>);
    /// Gives it other arguments, in the same way.
    fn set_args(&mut self, args: &mut Vec<u8>);
    /// Has its answer go at so many bytes a second.
    fn set_limit_rate(&mut self, rate: u64);
    /// The path of the location is no beginning of the request's any more.
    fn leave_location(&mut self);
    /// What a path of the file system leads to.
    fn leads_to(&self, path: &[u8], what: PathTest) -> bool;
}

/// What following the rules has come to.
#[derive(Debug)]
pub struct Followed<'r> {
    /// How it ended.
    pub ended: Ended<'r>,
    /// The `if` that was entered last: its handler and settings hold in place of the location's.
    pub entered: Option<&'r Location>,
}

/// How following the rules ended.
#[derive(Debug)]
pub enum Ended<'r> {
    /// The request is served here.
    Here,
    /// It has another path now, whose location is to be found.
    Elsewhere,
    /// `return`.
    Returned(&'r Return),
    /// The client is sent to this address, with this status.
    Redirected(u16, Vec<u8>),
    /// A rewrite left nothing of the path.
    NoPath,
}

/// What the steps share.
struct Course<'a> {
    subject: &'a mut dyn Subject,
    patterns: &'a Patterns,
    maps: &'a Maps,
    scratch: &'a mut Scratch,
    /// Captures are escaped in values, as nginx does until a `rewrite` has matched.
    escapes: bool,
    is_moved: bool,
}

impl Rules {
    /// Compiles the rules of a location with this path.
    pub(crate) fn compile(rules: &[tree::Rule], path: &str, names: &Names) -> Self {
        let mut steps = Vec::new();
        for rule in rules {
            add(&mut steps, rule, path, names);
        }
        Self { steps }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Follows them for a request.
    pub fn follow<'r>(
        &'r self,
        subject: &mut dyn Subject,
        patterns: &Patterns,
        maps: &Maps,
        scratch: &mut Scratch,
    ) -> Followed<'r> {
        let mut course = Course { subject, patterns, maps, scratch, escapes: true, is_moved: false };
        let mut entered = None;
        let mut at = 0;
        let ended = loop {
            let Some(step) = self.steps.get(at) else {
                break if course.is_moved { Ended::Elsewhere } else { Ended::Here };
            };
            at += 1;
            match step {
                Step::Set(variable, value) => course.set(*variable, value),
                Step::Return(returns) => break Ended::Returned(returns),
                Step::Break => {
                    if course.is_moved {
                        course.subject.leave_location();
                    }
                    break Ended::Here;
                }
                Step::Unless(condition, skipped) if !course.holds(condition) => at += skipped,
                Step::Unless(..) => {}
                Step::Enter(location) => entered = Some(&**location),
                Step::Rewrite(rewrite) => {
                    if let Some(ended) = course.rewrite(rewrite) {
                        break ended;
                    }
                }
            }
        };
        Followed { ended, entered }
    }

    #[cfg(test)]
    pub(crate) fn only_return(&self) -> Option<&Return> {
        match self.steps.as_slice() {
            [Step::Return(returns)] => Some(returns),
            _ => None,
        }
    }
}

fn add(steps: &mut Vec<Step>, rule: &tree::Rule, path: &str, names: &Names) {
    match rule {
        tree::Rule::Set { variable, value } => {
            steps.push(Step::Set(Variable::named(variable, names), Text::compile(value, names)));
        }
        tree::Rule::Rewrite(rewrite) => steps.push(Step::Rewrite(Box::new(Rewrite::compile(rewrite, names)))),
        tree::Rule::Return(returns) => steps.push(Step::Return(Return::compile(returns, names))),
        tree::Rule::Break => steps.push(Step::Break),
        tree::Rule::If(block) => {
            let condition = Condition::compile(&block.condition, names);
            let unless = steps.len();
            steps.push(Step::Unless(condition, 0));
            let content = block.content.as_ref();
            steps.extend(content.map(|content| Step::Enter(Box::new(Location::of_if(content, path, names)))));
            for rule in &block.rules {
                add(steps, rule, path, names);
            }
            let inner = steps.len() - unless - 1;
            if let Step::Unless(_, skipped) = &mut steps[unless] {
                *skipped = inner;
            }
        }
    }
}

impl Variable {
    /// The variable of a name in lower case that `conf` has found to be settable.
    pub(crate) fn named(name: &str, names: &Names) -> Self {
        let own = || names.variable(name).map(Self::Own);
        let known = if name == "limit_rate" { Self::LimitRate } else { Self::Args };
        names.map(name).map(Self::Map).or_else(own).unwrap_or(known)
    }
}

impl Rewrite {
    fn compile(rewrite: &tree::Rewrite, names: &Names) -> Self {
        let path = Text::compile(&rewrite.path, names);
        Self {
            pattern: names.add_pattern(&rewrite.pattern),
            has_args: rewrite.args.is_some() || path.has_literal(b'?'),
            path,
            args: rewrite.args.as_ref().map(|args| Text::compile(args, names)),
            keeps_args: rewrite.keeps_args,
            then: rewrite.then,
        }
    }
}

impl Condition {
    fn compile(condition: &tree::Condition, names: &Names) -> Self {
        let test = match &condition.test {
            tree::Test::IsTrue => Test::IsTrue,
            tree::Test::Equals(value) => Test::Equals(Text::compile(value, names)),
            tree::Test::Matches(pattern) => Test::Matches(names.add_pattern(pattern)),
            tree::Test::Path(what) => Test::Path(*what),
        };
        Self { subject: Text::compile(&condition.subject, names), test, is_negated: condition.is_negated }
    }
}

impl Course<'_> {
    /// Puts a text's value in place of what was in `out`.
    fn render(&mut self, text: &Text, escapes: bool, out: &mut Vec<u8>) {
        out.clear();
        let escapes = escapes && self.subject.was_escaped();
        text.render_escaping(escapes, self.subject, self.maps, self.scratch, out);
    }

    fn set(&mut self, variable: Variable, text: &Text) {
        let mut value = std::mem::take(&mut self.scratch.text);
        self.render(text, self.escapes, &mut value);
        match variable {
            Variable::Own(index) => self.scratch.set_variable(index, &value),
            Variable::Map(index) => self.scratch.set_map(index, &value),
            Variable::Args => self.subject.set_args(&mut value),
            Variable::LimitRate => self.subject.set_limit_rate(conf::table::rate_of(&value)),
        }
        self.scratch.text = value;
    }

    fn holds(&mut self, condition: &Condition) -> bool {
        let mut subject = std::mem::take(&mut self.scratch.text);
        self.render(&condition.subject, self.escapes, &mut subject);
        let passes = match &condition.test {
            Test::IsTrue => !matches!(subject.as_slice(), b"" | b"0"),
            Test::Equals(text) => {
                let mut value = std::mem::take(&mut self.scratch.args);
                self.render(text, self.escapes, &mut value);
                let equal = subject == value;
                self.scratch.args = value;
                equal
            }
            Test::Matches(pattern) => self.matches(*pattern, &subject),
            Test::Path(what) => self.subject.leads_to(&subject, *what),
        };
        self.scratch.text = subject;
        passes != condition.is_negated
    }

    /// As in nginx, one that does not match takes the captures of the last one with it.
    fn matches(&mut self, pattern: usize, text: &[u8]) -> bool {
        let found = self.patterns.matches(pattern, text, self.scratch);
        if !found {
            self.scratch.captures.clear();
        }
        found
    }

    /// Changes the request if it matches; how the rules end, if they do.
    fn rewrite<'r>(&mut self, rewrite: &Rewrite) -> Option<Ended<'r>> {
        let found = self.patterns.matches(rewrite.pattern, self.subject.path(), self.scratch);
        if !found {
            self.scratch.captures.clear();
            return None;
        }
        self.escapes = false;
        if let AfterRewrite::Redirect(status) = rewrite.then {
            return Some(Ended::Redirected(status, self.address(rewrite)));
        }
        let mut path = std::mem::take(&mut self.scratch.text);
        let mut args = std::mem::take(&mut self.scratch.args);
        self.render(&rewrite.path, false, &mut path);
        match &rewrite.args {
            Some(text) => self.render(text, true, &mut args),
            None => args.clear(),
        }
        if rewrite.keeps_args {
            self.add_args(rewrite.has_args, b'&', &mut args);
        }
        let is_empty = path.is_empty();
        self.subject.set_args(&mut args);
        self.subject.set_path(&mut path);
        self.scratch.text = path;
        self.scratch.args = args;
        self.is_moved = true;
        match rewrite.then {
            _ if is_empty => Some(Ended::NoPath),
            AfterRewrite::Last => Some(Ended::Elsewhere),
            AfterRewrite::Break => {
                self.subject.leave_location();
                Some(Ended::Here)
            }
            AfterRewrite::GoOn | AfterRewrite::Redirect(_) => None,
        }
    }

    /// Appends the request's arguments, if it has any, behind a separator where others stand before them.
    fn add_args(&self, follow: bool, separator: u8, out: &mut Vec<u8>) {
        let end = out.len();
        self.subject.append_args(out);
        if follow && out.len() > end {
            out.insert(end, separator);
        }
    }

    /// The address that a redirecting rewrite names.
    fn address(&mut self, rewrite: &Rewrite) -> Vec<u8> {
        let mut written = Vec::new();
        self.render(&rewrite.path, true, &mut written);
        let mut address = unescaped(&written);
        if rewrite.keeps_args {
            self.add_args(true, if rewrite.has_args { b'&' } else { b'?' }, &mut address);
        }
        address
    }
}

/// An address whose path has no more escapes than it needs: nginx decodes those of visible characters.
fn unescaped(address: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(address.len());
    let mut rest = address;
    while let Some((&byte, after)) = rest.split_first() {
        let decoded = match (byte, after) {
            (b'?', _) => break,
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        match decoded {
            Some(b'?') => {
                out.push(b'?');
                rest = &rest[3..];
                break;
            }
            Some(plain) if plain > b'%' && plain < 0x7f => {
                out.push(plain);
                rest = &rest[3..];
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests;
