//! The elements of a `server.xml`, of what it includes and of `configDropins`, in the order in which Liberty takes
//! them, with variables put in.
//!
//! Left out: includes by http, `onConflict` (the later value wins), and expressions in variables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conf::Diagnostic;
use conf::span::Place;
use roxmltree::Node;

use super::liberty::Told;
use crate::xml;

/// Files of one server, so that includes in a circle end.
const FILES_MAX: usize = 100;
/// Variables in the values of variables.
const DEPTH_MAX: usize = 10;

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
        let file = Arc::new(path.to_owned());
        let root = document.root_element();
        if !["server", "client"].contains(&root.tag_name().name()) {
            let message = format!("the file is of <{}>: want <server>", root.tag_name().name());
            self.found.push(Diagnostic::error("server-xml-syntax", &xml::place(&file, root), message));
            return;
        }
        for node in root.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "include" => self.include(&file, node),
                "variable" => self.variable(node),
                _ => self.elements.push(element(&file, node)),
            }
        }
    }

    fn include(&mut self, file: &Arc<PathBuf>, node: Node<'_, '_>) {
        let place = xml::place(file, node);
        let Some(location) = node.attribute("location") else { return };
        let location = self.put_in(location, 0);
        if location.contains("://") || location.contains("${") {
            let message = format!("the include of {location} is left out: what it says is not known here");
            self.found.push(Diagnostic::note("server-xml-include", &place, message));
            return;
        }
        let path = file.parent().unwrap_or(Path::new("")).join(&location);
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
                told.text = self.put_in(&told.text, 0);
            }
        }
        self.elements = elements;
    }

    /// A text with the values of its variables; those that are not known stay.
    fn put_in(&self, text: &str, depth: usize) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(start) = rest.find("${") {
            let Some(end) = rest[start..].find('}') else { break };
            let name = &rest[start + 2..start + end];
            out.push_str(&rest[..start]);
            match self.variables.get(name).or_else(|| self.defaults.get(name)).filter(|_| depth < DEPTH_MAX) {
                Some(value) if out.len() < 4096 => out.push_str(&self.put_in(value, depth + 1)),
                _ => out.push_str(&rest[start..=start + end]),
            }
            rest = &rest[start + end + 1..];
        }
        out + rest
    }
}

fn element(file: &Arc<PathBuf>, node: Node<'_, '_>) -> Element {
    let told = |node: Node<'_, '_>, name: &str| {
        let attribute = node.attribute_node(name)?;
        Some(Told { text: attribute.value().to_owned(), place: xml::value_place(file, node, attribute) })
    };
    let named = |name: &'static str| node.children().filter(move |child| child.has_tag_name(name));
    let names = node.attributes().map(|attribute| attribute.name().to_owned());
    Element {
        name: node.tag_name().name().to_owned(),
        place: xml::place(file, node),
        features: named("feature").filter_map(|child| Some(child.text()?.trim().to_owned())).collect(),
        options: named("httpOptions").filter_map(|child| told(child, "persistTimeout")).next_back(),
        attributes: names.filter_map(|name| Some((name.clone(), told(node, &name)?))).collect(),
    }
}

/// The XML files of a folder, by name.
fn xml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "xml")).collect();
    paths.sort();
    paths
}
