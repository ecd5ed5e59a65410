//! `map SOURCE $NAME { ... }`.

use std::collections::{HashMap, HashSet};

use super::cx::Cx;
use super::pattern::{compiled, is_variable_name};
use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;
use crate::span::Place;
use crate::template::Template;
use crate::tree::{Map, Pattern};
use crate::variables::{self, Known};

/// Maps that look up maps that look up maps. Two is usual; more than this would be a program.
const MAX_CHAIN: usize = 32;

/// Makes a map's variable known.
pub(super) fn declare(node: &Node, cx: &mut Cx<'_>) {
    if let Some(name) = node.args.get(1).and_then(|word| word.text.strip_prefix('$')) {
        cx.map_variables.insert(name.to_owned());
    }
}

/// Builds a map; none if its head is wrong.
pub(super) fn build(node: &Node, cx: &mut Cx<'_>) -> Option<Map> {
    let [source, name] = node.args.as_slice() else { return None };
    let name = variable_name(name).map_err(|wrong| cx.report(wrong)).ok();
    let source = cx.template(source).map_err(|wrong| cx.report(wrong)).ok();
    let mut entries = Entries::default();
    for entry in node.block.iter().flatten() {
        if let Err(wrong) = entries.add(entry, cx) {
            cx.report(wrong);
        }
    }
    let Entries { exact, patterns, default, .. } = entries;
    Some(Map { name: name?, source: source?, exact, patterns, default: default.unwrap_or_default() })
}

fn variable_name(word: &Word) -> Result<String, Diagnostic> {
    let name = word.text.strip_prefix('$').unwrap_or_default();
    if !is_variable_name(name) {
        let message = format!("invalid variable name \"{}\" in \"map\"", word.shown());
        return Err(Diagnostic::error("invalid-value", &word.place, message).help("write it as $name"));
    }
    if variables::known(name) != Known::Unknown {
        let message = format!("the variable \"${name}\" exists already: a map may not define it");
        return Err(Diagnostic::error("duplicate-variable", &word.place, message));
    }
    Ok(name.to_owned())
}

#[derive(Default)]
struct Entries {
    exact: Vec<(String, Template)>,
    patterns: Vec<(Pattern, Template)>,
    default: Option<Template>,
    keys: HashSet<String>,
}

impl Entries {
    fn add(&mut self, entry: &Node, cx: &mut Cx<'_>) -> Result<(), Diagnostic> {
        let key = &entry.name;
        if entry.block.is_some() {
            return Err(Diagnostic::error("block-unexpected", &key.place, "an entry of a map takes no block"));
        }
        let [value] = entry.args.as_slice() else { return self.without_value(entry, cx) };
        // The pattern first: a capture that is not served makes its variable unknown too, and is the cause.
        let pattern = key.text.strip_prefix('~').map(|after| pattern_of(key, after)).transpose()?;
        let value = match key.text.as_str() {
            "map_hash_max_size" | "map_hash_bucket_size" => {
                cx.no_effect(&key.place, &key.text, "it tunes nginx's own engine");
                return Ok(());
            }
            _ => cx.template(value)?,
        };
        if let Some(pattern) = pattern {
            self.patterns.push((pattern, value));
        } else if key.text == "default" {
            if self.default.replace(value).is_some() {
                return Err(Diagnostic::error("duplicate-key", &key.place, "\"default\" is there twice in this map"));
            }
        } else {
            // A backslash lets a key be one of the words above.
            let text = key.text.strip_prefix('\\').unwrap_or(&key.text).to_lowercase();
            if !self.keys.insert(text.clone()) {
                let message = format!("the key \"{}\" is there twice in this map", key.shown());
                return Err(Diagnostic::error("duplicate-key", &key.place, message));
            }
            self.exact.push((text, value));
        }
        Ok(())
    }

    /// A line of one word, or of three and more.
    fn without_value(&self, entry: &Node, _: &Cx<'_>) -> Result<(), Diagnostic> {
        let key = &entry.name;
        if entry.args.is_empty() && matches!(key.text.as_str(), "hostnames" | "volatile") {
            let message = format!("\"{}\" in a map is not served by bedloe yet", key.text);
            return Err(Diagnostic::error("not-served-yet", &key.place, message));
        }
        let count = entry.args.len();
        let message = format!("an entry of a map has a key and one value, not {count}");
        let help = "put a text with spaces in quotes, and \";\" behind each entry";
        Err(Diagnostic::error("wrong-arguments", &key.place, message).help(help))
    }
}

/// What stands behind `~`: a star for "without regard to case", and the expression.
pub(crate) fn pattern_of(key: &Word, after_sign: &str) -> Result<Pattern, Diagnostic> {
    let source = after_sign.strip_prefix('*');
    let pattern = compiled(key, source.unwrap_or(after_sign), source.is_some())?;
    if pattern.has_names {
        let message = "named captures in a map are not served by bedloe yet";
        return Err(Diagnostic::error("not-served-yet", &key.place, message).help("write $1 for the first group"));
    }
    Ok(pattern)
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
    let exact = map.exact.iter().map(|(_, value)| value);
    let patterns = map.patterns.iter().map(|(_, value)| value);
    let templates = exact.chain(patterns).chain([&map.source, &map.default]);
    let mut used: Vec<usize> = templates.flat_map(Template::variables).filter_map(|n| index.get(n).copied()).collect();
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
