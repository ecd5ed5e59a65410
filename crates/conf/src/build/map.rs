//! `map SOURCE $NAME { ... }`.

use std::collections::{HashMap, HashSet};

use super::cx::Cx;
use super::pattern::{compiled, is_variable_name};
use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;
use crate::span::Place;
use crate::template::Template;
use crate::tree::{Lookup, Map, Pattern, Texts};
use crate::variables::{self, Known};

/// Maps that look up maps that look up maps. Two is usual; more than this would be a program.
const MAX_CHAIN: usize = 32;

/// Makes the variable known of a `map`, a `geo` or a `split_clients`.
pub(super) fn declare(node: &Node, cx: &mut Cx<'_>) {
    if let Some(name) = node.args.last().and_then(|word| word.text.strip_prefix('$')) {
        cx.map_variables.insert(name.to_owned());
    }
}

/// Builds a map; none if its head is wrong.
pub(super) fn build(node: &Node, cx: &mut Cx<'_>) -> Option<Map> {
    let [source, name] = node.args.as_slice() else { return None };
    let name = variable_name(name, "map").map_err(|wrong| cx.report(wrong)).ok();
    let source = cx.template(source).map_err(|wrong| cx.report(wrong)).ok();
    let mut entries = Entries::default();
    for entry in node.block.iter().flatten() {
        if let Err(wrong) = entries.add(entry, cx) {
            cx.report(wrong);
        }
    }
    let Entries { mut texts, default, is_volatile, .. } = entries;
    texts.default = default.unwrap_or_default();
    Some(Map { name: name?, source: source?, is_volatile, lookup: Lookup::Texts(texts) })
}

/// The variable that a block defines.
pub(super) fn variable_name(word: &Word, block: &str) -> Result<String, Diagnostic> {
    let name = word.text.strip_prefix('$').unwrap_or_default();
    if !is_variable_name(name) {
        let message = format!("invalid variable name \"{}\" in \"{block}\"", word.shown());
        return Err(Diagnostic::error("invalid-value", &word.place, message).help("write it as $name"));
    }
    if variables::known(name) != Known::Unknown {
        let message = format!("the variable \"${name}\" exists already: a {block} may not define it");
        return Err(Diagnostic::error("duplicate-variable", &word.place, message));
    }
    Ok(name.to_owned())
}

#[derive(Default)]
struct Entries {
    texts: Texts,
    default: Option<Template>,
    is_volatile: bool,
    /// Keys, and names behind a star or before one.
    keys: HashSet<String>,
}

/// A key of a map with `hostnames`.
enum HostKey {
    Exact,
    /// `.NAME`: the name, and all below it.
    Both,
    /// `*.NAME`.
    Leading,
    /// `NAME.*`.
    Trailing,
}

impl Entries {
    fn add(&mut self, entry: &Node, cx: &mut Cx<'_>) -> Result<(), Diagnostic> {
        let key = &entry.name;
        if entry.block.is_some() {
            return Err(Diagnostic::error("block-unexpected", &key.place, "an entry of a map takes no block"));
        }
        let [value] = entry.args.as_slice() else { return self.without_value(entry) };
        // The pattern first: what is wrong with it makes its variables unknown too, and is the cause.
        let pattern = key.text.strip_prefix('~').map(|after| pattern_of(key, after)).transpose()?;
        let value = match key.text.as_str() {
            "map_hash_max_size" | "map_hash_bucket_size" => {
                cx.no_effect(&key.place, &key.text, "it tunes nginx's own engine");
                return Ok(());
            }
            _ => cx.template(value)?,
        };
        if let Some(pattern) = pattern {
            self.texts.patterns.push((pattern, value));
        } else if key.text == "default" {
            if self.default.replace(value).is_some() {
                return Err(Diagnostic::error("duplicate-key", &key.place, "\"default\" is there twice in this map"));
            }
        } else {
            // A backslash lets a key be one of the words above.
            let text = key.text.strip_prefix('\\').unwrap_or(&key.text).to_lowercase();
            self.add_text(key, &text, value)?;
        }
        Ok(())
    }

    fn add_text(&mut self, key: &Word, text: &str, value: Template) -> Result<(), Diagnostic> {
        let kind = if self.texts.are_hosts { host_key(text) } else { Some(HostKey::Exact) };
        let Some(kind) = kind else {
            let message = format!("invalid name or wildcard \"{}\" in a map with \"hostnames\"", key.shown());
            let help = "a star stands for whole parts, at one end: *.example.com, www.example.*";
            return Err(Diagnostic::error("invalid-value", &key.place, message).help(help));
        };
        // A dot at the front of a name is one behind a star, so that the two are the same key.
        let (bare, starred) = match kind {
            HostKey::Exact => (Some(text), None),
            HostKey::Both => (text.get(1..), Some(text.to_owned())),
            HostKey::Leading => (None, text.get(1..).map(str::to_owned)),
            HostKey::Trailing => (None, text.strip_suffix('*').map(str::to_owned)),
        };
        let marked = starred.as_ref().map(|starred| format!("*{starred}"));
        for new in bare.iter().map(|bare| (*bare).to_owned()).chain(marked) {
            if !self.keys.insert(new) {
                let message = format!("the key \"{}\" is there twice in this map", key.shown());
                return Err(Diagnostic::error("duplicate-key", &key.place, message));
            }
        }
        if let Some(starred) = starred {
            let list =
                if matches!(kind, HostKey::Trailing) { &mut self.texts.trailing } else { &mut self.texts.leading };
            list.push((starred, value.clone()));
        }
        if let Some(bare) = bare {
            self.texts.exact.push((bare.to_owned(), value));
        }
        Ok(())
    }

    /// A line of one word, or of three and more.
    fn without_value(&mut self, entry: &Node) -> Result<(), Diagnostic> {
        let key = &entry.name;
        match key.text.as_str() {
            "hostnames" if entry.args.is_empty() => self.texts.are_hosts = true,
            "volatile" if entry.args.is_empty() => self.is_volatile = true,
            _ => {
                let count = entry.args.len();
                let message = format!("an entry of a map has a key and one value, not {count}");
                let help = "put a text with spaces in quotes, and \";\" behind each entry";
                return Err(Diagnostic::error("wrong-arguments", &key.place, message).help(help));
            }
        }
        Ok(())
    }
}

fn host_key(text: &str) -> Option<HostKey> {
    let (kind, bare) = if let Some(bare) = text.strip_prefix("*.") {
        (HostKey::Leading, bare)
    } else if let Some(bare) = text.strip_suffix(".*") {
        (HostKey::Trailing, bare)
    } else if let Some(bare) = text.strip_prefix('.') {
        (HostKey::Both, bare)
    } else {
        (HostKey::Exact, text)
    };
    let is_name = !bare.contains('*') && !text.contains("..") && (!bare.is_empty() || text.is_empty());
    is_name.then_some(kind)
}

/// What stands behind `~`: a star for "without regard to case", and the expression.
pub(crate) fn pattern_of(key: &Word, after_sign: &str) -> Result<Pattern, Diagnostic> {
    let source = after_sign.strip_prefix('*');
    compiled(key, source.unwrap_or(after_sign), source.is_some())
}

/// Refuses maps that need themselves, and chains without end in sight.
pub(super) fn check_chains(maps: &[Map], places: &[&Place], cx: &mut Cx<'_>) {
    let index: HashMap<&str, usize> = maps.iter().enumerate().map(|(i, map)| (map.name.as_str(), i)).collect();
    let uses: Vec<Vec<usize>> = maps.iter().map(|map| used_by(map, &index)).collect();
    // Maps that use none have depth 1; one round a level, so a cycle is what is left after the last round.
    let mut done = vec![false; maps.len()];
    for _ in 0..MAX_CHAIN {
        let ready: Vec<usize> =
            (0..maps.len()).filter(|map| !done[*map] && uses[*map].iter().all(|used| done[*used])).collect();
        if ready.is_empty() {
            break;
        }
        for map in ready {
            done[map] = true;
        }
    }
    for (map, _) in done.iter().enumerate().filter(|(_, done)| !**done) {
        let message = format!("\"${}\" needs itself, or maps more than {MAX_CHAIN} deep", maps[map].name);
        cx.report(Diagnostic::error("map-cycle", places[map], message));
    }
}

fn used_by(map: &Map, index: &HashMap<&str, usize>) -> Vec<usize> {
    let names = map.templates().flat_map(Template::variables);
    let mut used: Vec<usize> = names.filter_map(|name| index.get(name).copied()).collect();
    used.sort_unstable();
    used.dedup();
    used
}

/// Of maps with the same variable the last one holds, as in nginx; the others are told.
pub(super) fn without_overridden(maps: Vec<Map>, places: &[&Place], cx: &mut Cx<'_>) -> Vec<Map> {
    let mut last: HashMap<String, usize> = HashMap::new();
    for (index, map) in maps.iter().enumerate() {
        if let Some(earlier) = last.insert(map.name.clone(), index) {
            let message =
                format!("\"${}\" is defined again in line {}: this map is ignored", map.name, places[index].line);
            cx.report(Diagnostic::warning("overridden-map", places[earlier], message));
        }
    }
    maps.into_iter().enumerate().filter(|(index, map)| last.get(&map.name) == Some(index)).map(|(_, map)| map).collect()
}
