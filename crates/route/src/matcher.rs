//! Regular expressions over bytes, and what the last one that matched has captured.

use conf::tree::Pattern;

use crate::map::Scratch;
use crate::names::Names;

/// Captures a text can name: `$1` to `$9`, after the whole match.
const CAPTURES: usize = 10;

/// A regular expression, and the variables that its groups define.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    engine: Engine,
    /// Numbers of groups, and the variables of their names.
    named: Vec<(u8, usize)>,
}

/// The cheapest means that decides an expression.
#[derive(Debug, Clone)]
enum Engine {
    /// `.` and `.+`: any byte but a line feed. It is what nearly every `map` of a cookie asks for.
    AnyByte,
    /// Without look-around, as nearly all are.
    Bytes(regex::bytes::Regex),
    /// With look-around or back references. Texts that are not UTF-8 do not match it.
    Fancy(Box<fancy_regex::Regex>),
    /// Compiles in no engine; `conf` refuses such a configuration.
    Never,
}

/// What the last matching expression captured, in buffers that are kept.
#[derive(Debug, Default)]
pub struct Captures {
    subject: Vec<u8>,
    ranges: [Option<(usize, usize)>; CAPTURES],
}

impl Captures {
    pub(crate) fn clear(&mut self) {
        self.ranges = [None; CAPTURES];
    }

    /// The text of a capture; empty when it took no part in the match.
    pub(crate) fn get(&self, number: u8) -> &[u8] {
        match self.ranges.get(usize::from(number)) {
            Some(Some((start, end))) => &self.subject[*start..*end],
            _ => b"",
        }
    }

    fn set(&mut self, subject: &[u8], range: impl Fn(usize) -> Option<(usize, usize)>) {
        self.subject.clear();
        self.subject.extend_from_slice(subject);
        self.ranges = std::array::from_fn(range);
    }
}

impl Matcher {
    pub(crate) fn new(pattern: &Pattern, names: &Names) -> Self {
        let engine = Engine::new(pattern);
        let groups = engine.group_names().into_iter().enumerate();
        let named = groups.filter_map(|(group, name)| {
            Some((u8::try_from(group).ok()?, names.variable(&name?.to_ascii_lowercase())?))
        });
        Self { named: named.collect(), engine }
    }

    /// Whether it matches anywhere in the text.
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.engine.matches(text, &mut Captures::default())
    }

    /// Whether it matches anywhere in the text; if so, the captures are its own, and its named groups are variables.
    pub(crate) fn matches(&self, text: &[u8], scratch: &mut Scratch) -> bool {
        let found = self.engine.matches(text, &mut scratch.captures);
        if found {
            for (group, variable) in &self.named {
                scratch.set_from_capture(*variable, *group);
            }
        }
        found
    }
}

impl Engine {
    fn new(pattern: &Pattern) -> Self {
        if matches!(pattern.source.as_str(), "." | ".+") {
            return Self::AnyByte;
        }
        // PCRE without its UTF flag works on bytes, so that comes first; classes beyond ASCII need UTF-8.
        if let Ok(regex) = bytes_regex(pattern, false).or_else(|_| bytes_regex(pattern, true)) {
            return Self::Bytes(regex);
        }
        let source = if pattern.ignore_case { format!("(?i){}", pattern.source) } else { pattern.source.clone() };
        fancy_regex::Regex::new(&source).map_or(Self::Never, |regex| Self::Fancy(Box::new(regex)))
    }

    /// The name of each group, the whole match first.
    fn group_names(&self) -> Vec<Option<String>> {
        let owned = |name: Option<&str>| name.map(str::to_owned);
        match self {
            Self::AnyByte | Self::Never => Vec::new(),
            Self::Bytes(regex) => regex.capture_names().map(owned).collect(),
            Self::Fancy(regex) => regex.capture_names().map(owned).collect(),
        }
    }

    /// Whether it matches anywhere in the text; if so, `captures` are its captures.
    fn matches(&self, text: &[u8], captures: &mut Captures) -> bool {
        match self {
            Self::AnyByte => {
                let found = text.iter().any(|&byte| byte != b'\n');
                if found {
                    captures.clear();
                }
                found
            }
            Self::Bytes(regex) => bytes_match(regex, text, captures),
            Self::Fancy(regex) => fancy_match(regex, text, captures),
            Self::Never => false,
        }
    }
}

fn bytes_regex(pattern: &Pattern, unicode: bool) -> Result<regex::bytes::Regex, regex::Error> {
    regex::bytes::RegexBuilder::new(&pattern.source).case_insensitive(pattern.ignore_case).unicode(unicode).build()
}

fn bytes_match(regex: &regex::bytes::Regex, text: &[u8], captures: &mut Captures) -> bool {
    if regex.captures_len() == 1 {
        let found = regex.is_match(text);
        if found {
            captures.clear();
        }
        return found;
    }
    // An expression with groups allocates its slots; keeping them would need one set a pattern and connection.
    let mut slots = regex.capture_locations();
    if regex.captures_read(&mut slots, text).is_none() {
        return false;
    }
    captures.set(text, |group| slots.get(group));
    true
}

fn fancy_match(regex: &fancy_regex::Regex, text: &[u8], captures: &mut Captures) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    // An error is a text on which the backtracking exceeded its limit: no match, as in nginx.
    let Ok(Some(found)) = regex.captures(text) else { return false };
    captures.set(text.as_bytes(), |group| found.get(group).map(|part| (part.start(), part.end())));
    true
}
