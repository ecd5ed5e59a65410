//! Addresses and cookies in an upstream's answer, made to fit the client's side: `proxy_redirect`, `proxy_cookie_*`.

use conf::tree::{self, ProxySettings, Redirect, Subject};

use crate::fact::Facts;
use crate::map::{Maps, Scratch};
use crate::matcher::Matcher;
use crate::names::Names;
use crate::text::Text;

/// What texts are rendered with.
pub struct Rendering<'a> {
    /// The request's facts.
    pub facts: &'a dyn Facts,
    /// The thread's maps.
    pub maps: &'a Maps,
    /// The request's values of maps, and captures.
    pub scratch: &'a mut Scratch,
}

/// What is rewritten in answers.
#[derive(Debug, Default)]
pub struct Rewriting {
    redirects: Vec<Replacement>,
    domains: Vec<Replacement>,
    paths: Vec<Replacement>,
    flags: Vec<(Wanted, tree::CookieChange)>,
}

#[derive(Debug)]
struct Replacement {
    from: Wanted,
    to: Text,
}

/// What a value is compared with.
#[derive(Debug)]
enum Wanted {
    Text(Text),
    Pattern(Matcher),
}

/// How much of a value a text must be.
#[derive(Clone, Copy, PartialEq)]
enum Extent {
    /// Its beginning.
    Prefix,
    /// All of it, without regard to case.
    Whole,
}

/// One `NAME[=VALUE]` of a Set-Cookie field.
#[derive(Debug)]
struct Attribute {
    name: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl Rewriting {
    /// Compiles a location's rules; `redirect_default` is the address of `proxy_pass` and what it becomes, if that can
    /// be known. `None` when there is nothing to rewrite.
    pub(crate) fn compile(
        settings: &ProxySettings,
        redirect_default: Option<&(String, String)>,
        maps: &Names,
    ) -> Option<Self> {
        let by_default = || {
            let (from, to) = redirect_default?;
            Some(Replacement { from: Wanted::Text(Text::literal(from.as_bytes())), to: Text::literal(to.as_bytes()) })
        };
        let redirect = |redirect: &Redirect| match redirect {
            Redirect::Default => by_default(),
            Redirect::Rule(rule) => Some(Replacement::compile(rule, maps)),
        };
        let redirects = settings.redirects.iter().filter_map(redirect).collect();
        let compile = |rules: &[tree::Replacement]| rules.iter().map(|rule| Replacement::compile(rule, maps)).collect();
        let flags = settings.cookie_flags.iter();
        let flags = flags.map(|flags| (Wanted::compile(&flags.cookie, maps), flags.change)).collect();
        let (domains, paths) = (compile(&settings.cookie_domains), compile(&settings.cookie_paths));
        let rewriting = Self { redirects, domains, paths, flags };
        let is_empty = rewriting.redirects.is_empty() && !rewriting.has_cookies();
        (!is_empty).then_some(rewriting)
    }

    fn has_cookies(&self) -> bool {
        !(self.domains.is_empty() && self.paths.is_empty() && self.flags.is_empty())
    }

    /// Appends what a `Location` becomes; false, with nothing appended, when it stays.
    pub fn location(&self, value: &[u8], with: &mut Rendering<'_>, out: &mut Vec<u8>) -> bool {
        replace_first(&self.redirects, value, Extent::Prefix, with, out)
    }

    /// The same for a `Refresh`, behind its `url=`.
    pub fn refresh(&self, value: &[u8], with: &mut Rendering<'_>, out: &mut Vec<u8>) -> bool {
        let found = value.windows(4).position(|four| four.eq_ignore_ascii_case(b"url="));
        let Some(url) = found.map(|at| at + 4) else { return false };
        let start = out.len();
        out.extend_from_slice(&value[..url]);
        let is_rewritten = self.location(&value[url..], with, out);
        if !is_rewritten {
            out.truncate(start);
        }
        is_rewritten
    }

    /// The same for a `Set-Cookie`.
    pub fn set_cookie(&self, value: &[u8], with: &mut Rendering<'_>, out: &mut Vec<u8>) -> bool {
        if !self.has_cookies() {
            return false;
        }
        let mut attributes: Vec<Attribute> = value.split(|byte| *byte == b';').map(Attribute::parse).collect();
        let mut is_rewritten = false;
        for attribute in attributes.iter_mut().skip(1) {
            is_rewritten |= self.rewrite(attribute, with);
        }
        is_rewritten |= self.change_flags(&mut attributes, with);
        if is_rewritten {
            append_joined(&attributes, out);
        }
        is_rewritten
    }

    fn rewrite(&self, attribute: &mut Attribute, with: &mut Rendering<'_>) -> bool {
        let Some(value) = &attribute.value else { return false };
        let mut new = Vec::new();
        let is_rewritten = if attribute.is(b"domain") {
            // A dot before the domain stays where it is.
            let dot = usize::from(value.first() == Some(&b'.'));
            new.extend_from_slice(&value[..dot]);
            replace_first(&self.domains, &value[dot..], Extent::Whole, with, &mut new)
        } else {
            attribute.is(b"path") && replace_first(&self.paths, value, Extent::Prefix, with, &mut new)
        };
        if is_rewritten {
            attribute.value = Some(new);
        }
        is_rewritten
    }

    /// The first rule for the cookie's name adds and takes flags; whether there is one.
    fn change_flags(&self, attributes: &mut Vec<Attribute>, with: &mut Rendering<'_>) -> bool {
        let Some(Attribute { name, value: Some(_) }) = attributes.first() else { return false };
        let mut rules = self.flags.iter();
        let Some((_, change)) = rules.find(|(cookie, _)| cookie.is(name, with)) else { return false };
        for (name, wanted) in [(&b"Secure"[..], change.secure), (b"HttpOnly", change.http_only)] {
            let is_there = attributes.iter().skip(1).any(|attribute| attribute.is(name));
            match wanted {
                Some(true) if !is_there => attributes.push(Attribute { name: name.to_vec(), value: None }),
                Some(false) => remove(attributes, name),
                _ => {}
            }
        }
        change_same_site(attributes, change.same_site);
        true
    }
}

/// Sets, replaces where it stands, or takes away `SameSite`.
fn change_same_site(attributes: &mut Vec<Attribute>, wanted: Option<tree::SameSite>) {
    let Some(wanted) = wanted else { return };
    let Some(value) = wanted.value().map(str::as_bytes) else { return remove(attributes, b"samesite") };
    let new = Attribute { name: b"SameSite".to_vec(), value: Some(value.to_vec()) };
    match attributes.iter_mut().skip(1).find(|attribute| attribute.is(b"samesite")) {
        Some(old) if old.value.as_deref().is_some_and(|old| old.eq_ignore_ascii_case(value)) => {}
        Some(old) => *old = new,
        None => attributes.push(new),
    }
}

fn remove(attributes: &mut Vec<Attribute>, name: &[u8]) {
    let mut index = 0;
    attributes.retain(|attribute| {
        index += 1;
        index == 1 || !attribute.is(name)
    });
}

fn append_joined(attributes: &[Attribute], out: &mut Vec<u8>) {
    for (index, attribute) in attributes.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b"; ");
        }
        out.extend_from_slice(&attribute.name);
        if let Some(value) = &attribute.value {
            out.push(b'=');
            out.extend_from_slice(value);
        }
    }
}

impl Attribute {
    fn parse(text: &[u8]) -> Self {
        let mut parts = text.splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default().trim_ascii().to_vec();
        Self { name, value: parts.next().map(|value| value.trim_ascii().to_vec()) }
    }

    fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl Wanted {
    fn compile(subject: &Subject, maps: &Names) -> Self {
        match subject {
            Subject::Text(text) => Self::Text(Text::compile(text, maps)),
            Subject::Pattern(pattern) => Self::Pattern(Matcher::new(pattern, maps)),
        }
    }

    /// Whether it is this name of a cookie.
    fn is(&self, name: &[u8], with: &mut Rendering<'_>) -> bool {
        match self {
            Self::Pattern(matcher) => with.matches(matcher, name),
            Self::Text(text) => with.render(text).eq_ignore_ascii_case(name),
        }
    }
}

impl Replacement {
    fn compile(rule: &tree::Replacement, maps: &Names) -> Self {
        Self { from: Wanted::compile(&rule.from, maps), to: Text::compile(&rule.to, maps) }
    }

    /// Appends what a value becomes if the rule is for it.
    fn apply(&self, value: &[u8], extent: Extent, with: &mut Rendering<'_>, out: &mut Vec<u8>) -> bool {
        let rest = match &self.from {
            Wanted::Pattern(matcher) if with.matches(matcher, value) => &b""[..],
            Wanted::Pattern(_) => return false,
            Wanted::Text(text) => {
                let from = with.render(text);
                match extent {
                    Extent::Whole if value.eq_ignore_ascii_case(&from) => b"",
                    Extent::Prefix if value.starts_with(&from) => &value[from.len()..],
                    Extent::Whole | Extent::Prefix => return false,
                }
            }
        };
        self.to.render(with.facts, with.maps, with.scratch, out);
        out.extend_from_slice(rest);
        true
    }
}

fn replace_first(
    rules: &[Replacement],
    value: &[u8],
    extent: Extent,
    with: &mut Rendering<'_>,
    out: &mut Vec<u8>,
) -> bool {
    rules.iter().any(|rule| rule.apply(value, extent, with, out))
}

impl Rendering<'_> {
    fn render(&mut self, text: &Text) -> Vec<u8> {
        let mut out = Vec::new();
        text.render(self.facts, self.maps, self.scratch, &mut out);
        out
    }

    fn matches(&mut self, matcher: &Matcher, text: &[u8]) -> bool {
        self.scratch.matches(matcher, text)
    }
}

#[cfg(test)]
mod tests;
