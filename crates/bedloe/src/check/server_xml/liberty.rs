//! What a `server.xml` says of a server, Liberty's defaults where it is silent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conf::Diagnostic;
use conf::span::Place;

use super::reader::{Element, Reader};

/// Liberty's own values (its reference of httpEndpoint and httpOptions).
const HOST: &str = "localhost";
const HTTP_PORT: &str = "9080";
const HTTPS_PORT: &str = "9443";
const PERSIST_TIMEOUT: &str = "30s";
/// The endpoint that is there where none is written.
const DEFAULT_ENDPOINT: &str = "defaultHttpEndpoint";

/// A value, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) text: String,
    pub(super) place: Place,
}

/// One `httpEndpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) host: Told,
    /// Those that are in use.
    pub(super) ports: Vec<Told>,
    pub(super) persist_timeout: Told,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Liberty {
    pub(super) place: Place,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) features: Vec<String>,
    pub(super) features_place: Place,
    pub(super) clone_id: Option<Told>,
    /// Where clone ids are turned off.
    pub(super) no_clone_ids: Option<Place>,
    /// Values with variables that are not known here: nothing is said of these.
    pub(super) unknown: Vec<Told>,
}

impl Told {
    /// Whether all of it is known.
    fn is_known(&self) -> bool {
        !self.text.contains("${")
    }
}

/// Reads a file and what it includes; the texts are added to `files`. `None` where the file itself cannot be read.
pub(super) fn read(path: &Path, files: &mut Vec<(PathBuf, String)>) -> (Option<Liberty>, Vec<Diagnostic>) {
    let reader = Reader::read(path);
    let server = (!reader.elements.is_empty()).then(|| made(path, &reader));
    files.extend(reader.files);
    (server, reader.found)
}

fn made(path: &Path, reader: &Reader) -> Liberty {
    let place = Place { file: Arc::new(path.to_owned()), line: 1, column: 1, length: 1 };
    let all = |name: &'static str| reader.elements.iter().filter(move |element| element.name == name);
    let session = |name: &str| all("httpSession").filter_map(|element| element.told(name)).next_back();
    let features: Vec<String> = all("featureManager").flat_map(|element| element.features.clone()).collect();
    let features_place = all("featureManager").next().map_or_else(|| place.clone(), |element| element.place.clone());
    let no_clone_ids = session("noAdditionalInfo").filter(|told| told.text == "true").map(|told| told.place);
    let clone_id = session("cloneId").filter(|told| !told.text.is_empty());
    let mut endpoints = endpoints(reader, &place);
    let mut unknown: Vec<Told> = clone_id.iter().filter(|told| !told.is_known()).cloned().collect();
    for endpoint in &mut endpoints {
        let values = endpoint.ports.iter().chain([&endpoint.host, &endpoint.persist_timeout]);
        unknown.extend(values.filter(|told| !told.is_known()).cloned());
        endpoint.ports.retain(Told::is_known);
    }
    Liberty { place, endpoints, features, features_place, clone_id, no_clone_ids, unknown }
}

/// Endpoints of one id are one, whose later values win.
fn endpoints(reader: &Reader, place: &Place) -> Vec<Endpoint> {
    let mut written: BTreeMap<String, Vec<&Element>> = BTreeMap::from([(DEFAULT_ENDPOINT.to_owned(), Vec::new())]);
    let mut shared: BTreeMap<String, Told> = BTreeMap::new();
    for element in &reader.elements {
        match element.name.as_str() {
            "httpEndpoint" => written.entry(element.id()).or_default().push(element),
            "httpOptions" => shared.extend(element.told("persistTimeout").map(|told| (element.id(), told))),
            _ => {}
        }
    }
    written.iter().filter_map(|(id, parts)| endpoint(id, parts, &shared, place)).collect()
}

/// `shared` are the time-outs of the `httpOptions` that an endpoint may refer to.
fn endpoint(id: &str, parts: &[&Element], shared: &BTreeMap<String, Told>, place: &Place) -> Option<Endpoint> {
    let place = parts.last().map_or(place, |element| &element.place);
    let usual = |text: &str| Told { text: text.to_owned(), place: place.clone() };
    let told = |name: &str| parts.iter().filter_map(|element| element.told(name)).next_back();
    if told("enabled").is_some_and(|told| told.text == "false") {
        return None;
    }
    let is_default = id == DEFAULT_ENDPOINT;
    let port = |name: &str, default: &str| told(name).or_else(|| is_default.then(|| usual(default)));
    let ports = [port("httpPort", HTTP_PORT), port("httpsPort", HTTPS_PORT)].into_iter().flatten();
    let own = parts.iter().filter_map(|element| element.options.clone()).next_back();
    let referred = told("httpOptionsRef").map_or_else(|| "defaultHttpOptions".to_owned(), |told| told.text);
    Some(Endpoint {
        host: told("host").unwrap_or_else(|| usual(HOST)),
        ports: ports.filter(|port| port.text != "-1").collect(),
        persist_timeout: own.or_else(|| shared.get(&referred).cloned()).unwrap_or_else(|| usual(PERSIST_TIMEOUT)),
    })
}

/// A duration as Liberty writes it: `30s`, `1m30s`, `500ms`, and a number alone is seconds.
pub(super) fn duration_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1000);
    }
    let (mut rest, mut all) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|letter: char| letter.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let unit: u64 = match &rest[digits..unit_end] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        all = all.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_libertys() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("1m30s", Some(90_000)),
            ("500ms", Some(500)),
            ("30", Some(30_000)),
            ("2h", Some(7_200_000)),
            ("", None),
            ("s", None),
            ("5x", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(duration_ms(text), expected, "{text}");
        }
    }
}
