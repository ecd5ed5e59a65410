//! The elements of a `server.xml`, of what it includes and of `configDropins`, in the order in which Liberty takes
//! them, with variables put in.
//!
//! Left out: includes by http, `onConflict` (the later value wins), and expressions in variables.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use conf::Diagnostic;
use conf::span::Place;
use roxmltree::{Attribute, Node};

use super::liberty::Told;
use crate::xml::{self, Places};

/// Files of one server, so that includes in a circle end.
const FILES_MAX: usize = 100;
/// Variables in the values of variables.
const DEPTH_MAX: usize = 10;
/// What all variables of one server may put in: the bytes of each value, and those of `VARIABLE_COST`.
const VARIABLES_MAX: usize = 4 << 20;
/// What a variable costs beside its value, so that empty ones do not come for nothing.
const VARIABLE_COST: usize = 16;

/// One element below `server`.
#[derive(Debug, Clone)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) place: Place,
    /// The texts of the `feature` elements in it.
    pub(super) features: Vec<String>,
    /// `persistTimeout` of an `httpOptions` in it.
    pub(super) options: Option<Told>,
    attributes: BTreeMap<String, Told>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) elements: Vec<Element>,
    pub(super) files: Vec<(PathBuf, String)>,
    pub(super) found: Vec<Diagnostic>,
    /// Variables by name: of the file beside, then those of `variable`, whose values win.
    variables: BTreeMap<String, String>,
    defaults: BTreeMap<String, String>,
    seen: BTreeSet<PathBuf>,
    /// What was put in so far, of `VARIABLES_MAX`.
    spent: Cell<usize>,
}

impl Element {
    /// An attribute.
    pub(super) fn told(&self, name: &str) -> Option<Told> {
        self.attributes.get(name).cloned()
    }

    /// Its id; that of a default element where none is written.
    pub(super) fn id(&self) -> String {
        let default = match self.name.as_str() {
            "httpEndpoint" => "defaultHttpEndpoint",
            "httpOptions" => "defaultHttpOptions",
            _ => "",
        };
        self.told("id").map_or_else(|| default.to_owned(), |told| told.text)
    }
}

impl Reader {
    /// Reads a server's files.
    pub(super) fn read(path: &Path) -> Self {
        let mut reader = Self::default();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        reader.bootstrap(&folder.join("bootstrap.properties"));
        reader.dropins(&folder.join("configDropins/defaults"));
        reader.file(path, None);
        reader.dropins(&folder.join("configDropins/overrides"));
        reader.put_variables_in();
        reader
    }

    /// `name=value`, a line each.
    fn bootstrap(&mut self, path: &Path) {
        let Ok(text) = xml::read(path) else { return };
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
        let pairs = lines.filter_map(|line| line.split_once('='));
        self.variables.extend(pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())));
    }

    fn dropins(&mut self, folder: &Path) {
        for path in xml_files(folder) {
            self.file(&path, None);
        }
    }

    /// `from` is the include that names it.
    fn file(&mut self, path: &Path, from: Option<&Place>) {
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.seen.len() >= FILES_MAX || !self.seen.insert(real) {
            return;
        }
        let text = match xml::read(path) {
            Ok(text) => text,
            Err(error) => {
                let place = from.cloned().unwrap_or_else(|| super::nowhere(path));
                let place = if from.is_none() { Place { line: 0, ..place } } else { place };
                let message = format!("cannot read {}: {error}", path.display());
                self.found.push(Diagnostic::error("server-xml-unreadable", &place, message));
                return;
            }
        };
        self.files.push((path.to_owned(), text.clone()));
        let document = match xml::parse(path, &text) {
            Ok(document) => document,
            Err((message, place)) => {
                self.found.push(Diagnostic::error("server-xml-syntax", &place, message));
                return;
            }
        };
        let places = Places::new(path, &text);
        let root = document.root_element();
        if !["server", "client"].contains(&root.tag_name().name()) {
            let message = format!("the file is of <{}>: want <server>", root.tag_name().name());
            self.found.push(Diagnostic::error("server-xml-syntax", &places.element(root), message));
            return;
        }
        for node in root.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "include" => self.include(&places, node),
                "variable" => self.variable(node),
                _ => self.elements.push(element(&places, node)),
            }
        }
    }

    fn include(&mut self, places: &Places, node: Node<'_, '_>) {
        let place = places.element(node);
        let Some(location) = node.attribute("location") else { return };
        let location = self.put_variables_in_text(location, &place);
        if location.contains("://") || location.contains("${") {
            let message = format!("the include of {location} is left out: what it says is not known here");
            self.found.push(Diagnostic::note("server-xml-include", &place, message));
            return;
        }
        let path = places.file().parent().unwrap_or(Path::new("")).join(&location);
        if path.is_dir() {
            xml_files(&path).iter().for_each(|path| self.file(path, Some(&place)));
        } else if path.exists() || node.attribute("optional") != Some("true") {
            self.file(&path, Some(&place));
        }
    }

    fn variable(&mut self, node: Node<'_, '_>) {
        let Some(name) = node.attribute("name") else { return };
        if let Some(value) = node.attribute("value") {
            self.variables.insert(name.to_owned(), value.to_owned());
        }
        if let Some(value) = node.attribute("defaultValue") {
            self.defaults.insert(name.to_owned(), value.to_owned());
        }
    }

    fn put_variables_in(&mut self) {
        let mut elements = std::mem::take(&mut self.elements);
        for element in &mut elements {
            for told in element.attributes.values_mut().chain(&mut element.options) {
                told.text = self.put_variables_in_text(&told.text, &told.place);
            }
        }
        self.elements = elements;
    }

    /// A text with the values of its variables; the first that is too much for all of them is an error.
    fn put_variables_in_text(&mut self, text: &str, place: &Place) -> String {
        let was_left = self.spent.get() < VARIABLES_MAX;
        let out = self.put_in(text, 0);
        if was_left && self.spent.get() >= VARIABLES_MAX {
            let message = "the variables of this server are too long, or name one another too often: those from here \
                           on are not put in";
            let help = "write the value itself, or variables that hold fewer of one another";
            self.found.push(Diagnostic::error("server-xml-variables", place, message).help(help));
        }
        out
    }

    /// A text with the values of its variables; those that are not known stay, and all where too much was put in.
    fn put_in(&self, text: &str, depth: usize) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(start) = rest.find("${") {
            let Some(end) = rest[start..].find('}') else { break };
            let name = &rest[start + 2..start + end];
            out.push_str(&rest[..start]);
            match self.variables.get(name).or_else(|| self.defaults.get(name)).filter(|_| depth < DEPTH_MAX) {
                Some(value) if self.spend(value) => out.push_str(&self.put_in(value, depth + 1)),
                _ => out.push_str(&rest[start..=start + end]),
            }
            rest = &rest[start + end + 1..];
        }
        out + rest
    }

    /// Whether a value may still be put in.
    fn spend(&self, value: &str) -> bool {
        let spent = self.spent.get().saturating_add(value.len() + VARIABLE_COST).min(VARIABLES_MAX);
        self.spent.set(spent);
        spent < VARIABLES_MAX
    }
}

fn element(places: &Places, node: Node<'_, '_>) -> Element {
    let told =
        |attribute: Attribute<'_, '_>| Told { text: attribute.value().to_owned(), place: places.value(attribute) };
    let named = |name: &'static str| node.children().filter(move |child| child.has_tag_name(name));
    let mut timeouts = named("httpOptions").filter_map(|child| child.attribute_node("persistTimeout"));
    Element {
        name: node.tag_name().name().to_owned(),
        place: places.element(node),
        features: named("feature").filter_map(|child| Some(child.text()?.trim().to_owned())).collect(),
        options: timeouts.next_back().map(told),
        attributes: node.attributes().map(|attribute| (attribute.name().to_owned(), told(attribute))).collect(),
    }
}

/// The XML files of a folder, by name.
fn xml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "xml")).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn read(text: &str) -> Reader {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.xml");
        std::fs::write(&path, text).unwrap();
        Reader::read(&path)
    }

    /// Ten variables, each with 30 of the one before.
    fn nested(innermost: &str) -> Reader {
        let mut text = format!("<server><variable name='v0' value='{innermost}'/>");
        for at in 1..10 {
            let value = format!("${{v{}}}", at - 1).repeat(30);
            let _ = write!(text, "<variable name='v{at}' value='{value}'/>");
        }
        read(&(text + "<httpSession cloneId='${v9}'/><a b='${v0}'/></server>"))
    }

    #[test]
    fn variables_of_variables_end() {
        for innermost in ["", "long".repeat(100).as_str()] {
            let reader = nested(innermost);
            let codes: Vec<_> = reader.found.iter().map(|found| found.message.clone()).collect();
            assert_eq!(codes.len(), 1, "{codes:?}");
            assert!(codes[0].contains("name one another too often"), "{codes:?}");
            assert!(reader.elements[0].told("cloneId").unwrap().text.len() < VARIABLES_MAX * 2);
            assert_eq!(reader.elements[1].told("b").unwrap().text, "${v0}");
        }
    }

    #[test]
    fn variables_are_put_in() {
        let reader = read(
            "<server><variable name='a' value='1${b}'/><variable name='b' defaultValue='2'/><variable name='c' \
             value=''/><x y='${a}-${c}-${d}-${b' z='${a}'/></server>",
        );
        assert!(reader.found.is_empty(), "{:?}", reader.found);
        assert_eq!(reader.elements[0].told("y").unwrap().text, "12--${d}-${b");
        assert_eq!(reader.elements[0].told("z").unwrap().text, "12");
    }

    #[test]
    fn wide_files_are_read_in_a_single_pass() {
        let reader = read(&format!("<server>\n{}</server>", "<a b='c'/>\n".repeat(100_000)));
        assert_eq!(reader.elements.len(), 100_000);
        assert_eq!(reader.elements[99_999].told("b").unwrap().place.line, 100_001);
    }
}
