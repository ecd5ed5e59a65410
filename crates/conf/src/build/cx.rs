//! What all directives share while a configuration is built: its options, the upstreams and variables known so far,
//! what was found.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::call::Call;
use super::draft::UpstreamDraft;
use crate::address::{self, Address};
use crate::diagnostic::{Diagnostic, Severity};
use crate::lexer::Word;
use crate::loader::{Loader, NeededFile, Options};
use crate::parser::MAX_DIAGNOSTICS;
use crate::shared::Shared;
use crate::span::Place;
use crate::suggest;
use crate::template::{self, Part, Template};
use crate::tree::{
    AccessLog, Algorithm, HealthCheck, LimitZone, LocationKind, LogFormat, LogTarget, Match, PeerAddress,
    ProxySettings, ProxyTls, Resolver, Upstream, UpstreamServer,
};
use crate::variables::{self, Known};

/// Addresses taken of one name; services have a few, and a resolver's answer is outside input.
const MAX_ADDRESSES: usize = 256;

pub(crate) struct Cx<'a> {
    pub(crate) options: &'a Options,
    /// The folder of the main file, which some paths are relative to.
    pub(crate) folder: PathBuf,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) needs: Vec<NeededFile>,
    pub(crate) writes: Vec<NeededFile>,
    pub(crate) facts: Facts,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) health_checks: Vec<HealthCheck>,
    pub(crate) matches: Vec<Match>,
    pub(crate) proxy_tls: Vec<ProxyTls>,
    /// What holds of `proxy_*` where nothing is written.
    pub(crate) proxy_defaults: Shared<ProxySettings>,
    /// The different settings of `proxy_*` that a `proxy_pass` has.
    proxy_settings: HashSet<Shared<ProxySettings>>,
    pub(crate) resolvers: Vec<Resolver>,
    pub(crate) log_formats: Vec<LogFormat>,
    pub(crate) access_logs: Vec<AccessLog>,
    access_log_index: HashMap<AccessLogKey, usize>,
    /// Sizes of buffers and times of flushing, by the log's path.
    log_buffers: HashMap<PathBuf, (u64, Option<u64>, Option<u8>)>,
    /// Names of upstreams in lower case, with their index.
    pub(crate) upstream_index: HashMap<String, usize>,
    /// Variables that a `map` defines.
    pub(crate) map_variables: HashSet<String>,
    /// Variables that `set` and named groups define, in lower case.
    /// Whether `set` does.
    pub(crate) set_variables: BTreeMap<String, bool>,
    loader: &'a dyn Loader,
    /// Files read beside those of `include`.
    pub(crate) files: Vec<(PathBuf, String)>,
    pub(crate) server_zones: Vec<String>,
    pub(crate) location_zones: Vec<String>,
    resolved: HashMap<(String, u16), Result<Vec<SocketAddr>, String>>,
    needed: HashSet<(PathBuf, &'static str)>,
    written: HashSet<PathBuf>,
    pub(crate) reads: Vec<NeededFile>,
    /// Zones of `limit_req` and of `limit_conn`, by where they were named first; some are declared later.
    pub(crate) rate_zones: Vec<NamedZone>,
    pub(crate) connection_zones: Vec<NamedZone>,
    zones: HashMap<String, u64>,
    zones_used: Vec<Word>,
    errors: usize,
    pub(crate) errors_dropped: usize,
}

/// What tells access logs apart: where to, the format, the condition as written.
type AccessLogKey = (LogTarget, Option<usize>, Option<String>);

/// A zone of limits.
pub(crate) struct NamedZone {
    /// The name, where it was written first.
    pub(crate) word: Word,
    pub(crate) name: String,
    /// What it is, once that is known.
    pub(crate) zone: Option<LimitZone>,
}

/// The index of a zone's name.
pub(crate) fn zone_named(zones: &mut Vec<NamedZone>, name: &str, word: &Word) -> usize {
    zones.iter().position(|zone| zone.name == name).unwrap_or_else(|| {
        zones.push(NamedZone { word: word.clone(), name: name.to_owned(), zone: None });
        zones.len() - 1
    })
}

/// The zones, each of which must have been declared.
pub(crate) fn declared(zones: Vec<NamedZone>, directive: &str, cx: &mut Cx<'_>) -> Vec<LimitZone> {
    let mut all = Vec::new();
    for NamedZone { word, name, zone } in zones {
        match zone {
            Some(zone) => all.push(zone),
            None => {
                let message = format!("no \"{directive}\" declares the zone \"{name}\"");
                cx.report(Diagnostic::error("unknown-zone", &word.place, message));
            }
        }
    }
    all
}

/// What the lints want to know beyond the tree.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) invalid_headers_pass: Vec<Place>,
    /// The same for each server that it holds for, and whether `liberty_headers strip` holds there too.
    pub(crate) invalid_headers_of_servers: Vec<(Place, bool)>,
    pub(crate) nofile: Option<(u64, Place)>,
    /// One for each declared upstream.
    pub(crate) upstreams: Vec<UpstreamFacts>,
    /// One for each location with a `proxy_pass`.
    pub(crate) proxies: Vec<ProxyFacts>,
}

pub(crate) struct UpstreamFacts {
    pub(crate) upstream: usize,
    pub(crate) hash_place: Option<Place>,
    pub(crate) keepalive_place: Option<Place>,
    pub(crate) keepalive_timeout_place: Option<Place>,
    pub(crate) has_zone: bool,
}

pub(crate) struct ProxyFacts {
    pub(crate) place: Place,
    pub(crate) kind: LocationKind,
    pub(crate) path: String,
    /// `None` where variables decide.
    pub(crate) upstream: Option<usize>,
    pub(crate) uri: Option<String>,
    /// The method, if it is always the same.
    pub(crate) method: Option<String>,
    /// Where the `proxy_next_upstream` that applies was written.
    pub(crate) next_upstream_place: Option<Place>,
    /// Whether a failure goes to the next server at all.
    pub(crate) retries: bool,
    pub(crate) non_idempotent: bool,
}

impl<'a> Cx<'a> {
    pub(crate) fn new(path: &Path, loader: &'a dyn Loader, options: &'a Options) -> Self {
        Self {
            options,
            folder: path.parent().map(Path::to_path_buf).unwrap_or_default(),
            diagnostics: Vec::new(),
            needs: Vec::new(),
            writes: Vec::new(),
            facts: Facts::default(),
            upstreams: Vec::new(),
            health_checks: Vec::new(),
            matches: Vec::new(),
            proxy_tls: Vec::new(),
            proxy_defaults: super::draft::proxy().into(),
            proxy_settings: HashSet::new(),
            resolvers: Vec::new(),
            log_formats: Vec::new(),
            access_logs: Vec::new(),
            access_log_index: HashMap::new(),
            log_buffers: HashMap::new(),
            upstream_index: HashMap::new(),
            map_variables: HashSet::new(),
            set_variables: BTreeMap::new(),
            loader,
            files: Vec::new(),
            server_zones: Vec::new(),
            location_zones: Vec::new(),
            resolved: HashMap::new(),
            needed: HashSet::new(),
            written: HashSet::new(),
            reads: Vec::new(),
            rate_zones: Vec::new(),
            connection_zones: Vec::new(),
            zones: HashMap::new(),
            zones_used: Vec::new(),
            errors: 0,
            errors_dropped: 0,
        }
    }

    /// Keeps a finding, up to a limit each for errors and for the rest: the first error must not be lost.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        let is_error = diagnostic.severity == Severity::Error;
        let kept = if is_error { self.errors } else { self.diagnostics.len() - self.errors };
        if kept < MAX_DIAGNOSTICS {
            self.errors += usize::from(is_error);
            self.diagnostics.push(diagnostic);
        } else if is_error {
            self.errors_dropped += 1;
        }
    }

    /// Whether another error would be kept, so that it is worth the work of an explanation.
    pub(crate) fn wants_errors(&self) -> bool {
        self.errors < MAX_DIAGNOSTICS
    }

    /// Drops what was found from an index on.
    pub(crate) fn forget_from(&mut self, index: usize) {
        let dropped = self.diagnostics.drain(index..);
        self.errors -= dropped.filter(|found| found.severity == Severity::Error).count();
    }

    pub(crate) fn no_effect(&mut self, place: &Place, name: &str, reason: &str) {
        self.report(Diagnostic::note("no-effect", place, format!("\"{name}\" has no effect: {reason}")));
    }

    /// A file that must be there when the program starts; told once a file and directive.
    pub(crate) fn need(&mut self, path: &Path, directive: &'static str, place: &Place) {
        if self.needed.insert((path.to_path_buf(), directive)) {
            self.needs.push(NeededFile { path: path.to_path_buf(), directive, place: place.clone() });
        }
    }

    /// The same for the file that a directive's first word names, relative to the folder of the main file.
    pub(crate) fn needed(&mut self, call: &Call<'_>) -> PathBuf {
        let path = self.folder.join(call.text(0));
        self.need(&path, call.name, &call.word(0).place);
        path
    }

    /// A file that is written to while the program runs; told once a file.
    pub(crate) fn writes(&mut self, path: &Path, directive: &'static str, place: &Place) {
        if self.written.insert(path.to_path_buf()) {
            self.writes.push(NeededFile { path: path.to_path_buf(), directive, place: place.clone() });
        }
    }

    /// A file that is read with each request that needs it; told once a file.
    pub(crate) fn reads(&mut self, path: &Path, directive: &'static str, place: &Place) {
        if self.reads.iter().all(|file| file.path != path) {
            self.reads.push(NeededFile { path: path.to_path_buf(), directive, place: place.clone() });
        }
    }

    /// Refuses a zone of shared memory that has two sizes.
    pub(crate) fn same_zone(&mut self, name: &str, bytes: u64, word: &Word) -> Result<(), Diagnostic> {
        let declared = *self.zones.entry(name.to_owned()).or_insert(bytes);
        if declared == bytes {
            return Ok(());
        }
        let message = format!("the zone \"{name}\" has {bytes} bytes here and {declared} elsewhere");
        Err(Diagnostic::error("conflicting-zone", &word.place, message))
    }

    /// A zone that is used without a size must be given one elsewhere.
    pub(crate) fn zone_without_size(&mut self, word: &Word) {
        self.zones_used.push(word.clone());
    }

    /// Tells of the zones that nobody has given a size.
    pub(crate) fn check_zones(&mut self) {
        for word in std::mem::take(&mut self.zones_used) {
            if !self.zones.contains_key(&word.text) {
                let message = format!("the zone \"{}\" has no size", word.shown());
                let help = format!("write \"zone {} 64k;\"", word.shown());
                self.report(Diagnostic::error("zone-without-size", &word.place, message).help(help));
            }
        }
    }

    /// A word as a template whose variables all exist. Of several that do not, all but the last are reported here.
    pub(crate) fn template(&mut self, word: &Word) -> Result<Template, Diagnostic> {
        let spanned = template::spanned(&word.text).map_err(|error| {
            let place = word.part(error.offset(), 1);
            Diagnostic::error("invalid-variable", &place, format!("in \"{}\" {error}", word.shown()))
        })?;
        let mut parts = Vec::with_capacity(spanned.len());
        let mut last: Option<Diagnostic> = None;
        for (part, range) in spanned {
            if let Part::Variable(name) = &part
                && let Err(wrong) = self.check_variable(name)
            {
                let wrong = Diagnostic { place: word.part(range.start, range.len()), ..wrong };
                if let Some(earlier) = last.replace(wrong) {
                    self.report(earlier);
                }
            }
            parts.push(part);
        }
        last.map_or(Ok(Template { parts }), Err)
    }

    fn check_variable(&self, name: &str) -> Result<(), Diagnostic> {
        if self.map_variables.contains(name) || self.set_variables.contains_key(&name.to_ascii_lowercase()) {
            return Ok(());
        }
        let place = Place::default();
        match variables::known(name) {
            Known::Served => Ok(()),
            Known::NotYet => {
                let message = format!("the variable \"${name}\" is not served by bedloe yet");
                Err(Diagnostic::error("not-served-yet", &place, message))
            }
            Known::Unknown => {
                let wrong = Diagnostic::error("unknown-variable", &place, format!("unknown variable \"${name}\""));
                let names = variables::variables().iter().map(|variable| variable.name);
                let own = self.map_variables.iter().chain(self.set_variables.keys()).map(String::as_str);
                Err(match suggest::nearest(name, names.chain(own)) {
                    Some(near) if near.ends_with('_') => wrong.help(format!("did you mean \"${near}NAME\"?")),
                    Some(near) => wrong.help(format!("did you mean \"${near}\"?")),
                    None => wrong,
                })
            }
        }
    }

    /// The addresses of a name, at least one.
    pub(crate) fn resolve(&mut self, word: &Word, host: &str, port: u16) -> Result<Vec<SocketAddr>, Diagnostic> {
        let loader = self.loader;
        let found = self.resolved.entry((host.to_owned(), port)).or_insert_with(|| {
            let mut addresses = loader.resolve(host, port).map_err(|error| error.to_string())?;
            addresses.truncate(MAX_ADDRESSES);
            let mut seen = HashSet::new();
            addresses.retain(|address| seen.insert(*address));
            if addresses.is_empty() { Err("it has no address".to_owned()) } else { Ok(addresses) }
        });
        found.clone().map_err(|error| {
            Diagnostic::error("host-not-found", &word.place, format!("host not found: \"{host}\": {error}"))
        })
    }

    /// These settings, shared with all that have the same: sites made from one pattern repeat the same lines.
    pub(crate) fn proxy_settings(&mut self, settings: &Shared<ProxySettings>) -> Shared<ProxySettings> {
        if settings.is_same(&self.proxy_defaults) {
            return settings.clone();
        }
        if let Some(same) = self.proxy_settings.get(settings) {
            return same.clone();
        }
        self.proxy_settings.insert(settings.clone());
        settings.clone()
    }

    /// The number of a way in which TLS is spoken to servers.
    pub(crate) fn proxy_tls(&mut self, tls: &ProxyTls) -> usize {
        number_of(tls, &mut self.proxy_tls)
    }

    /// The number of a resolver.
    pub(crate) fn resolver(&mut self, resolver: &Resolver) -> usize {
        number_of(resolver, &mut self.resolvers)
    }

    /// The number of a server's `status_zone`.
    pub(crate) fn server_zone(&mut self, name: &str) -> usize {
        number_of(&name.to_owned(), &mut self.server_zones)
    }

    /// The number of a location's.
    pub(crate) fn location_zone(&mut self, name: &str) -> usize {
        number_of(&name.to_owned(), &mut self.location_zones)
    }

    /// The door to the outside.
    pub(crate) fn loader(&self) -> &'a dyn Loader {
        self.loader
    }

    /// The number of an access log.
    pub(crate) fn access_log(&mut self, log: AccessLog) -> usize {
        let condition = log.condition.as_ref().map(|condition| format!("{condition:?}"));
        let next = self.access_logs.len();
        *self.access_log_index.entry((log.to.clone(), log.format, condition)).or_insert_with(|| {
            self.access_logs.push(log);
            next
        })
    }

    /// Refuses a log that has two buffers.
    pub(crate) fn same_log_buffer(
        &mut self,
        path: &Path,
        buffer: (u64, Option<u64>, Option<u8>),
        word: &Word,
    ) -> Result<(), Diagnostic> {
        if *self.log_buffers.entry(path.to_path_buf()).or_insert(buffer) == buffer {
            return Ok(());
        }
        let message = format!("\"buffer\", \"flush\" or \"gzip\" of the log \"{}\" is another elsewhere", word.shown());
        Err(Diagnostic::error("conflicting-log", &word.place, message))
    }

    /// The upstream that a `proxy_pass` names, made from the address where no block has the name.
    pub(crate) fn upstream(&mut self, call: &Call<'_>, host: &str, default_port: u16) -> Result<usize, Diagnostic> {
        let lower = host.to_ascii_lowercase();
        if let Some(index) = self.upstream_index.get(&lower) {
            return Ok(*index);
        }
        let (name, has_port) = address::split_host(&lower);
        // Without a port it is another server for another scheme.
        let key = if has_port { lower.clone() } else { format!("{lower}:{default_port}") };
        if let Some(index) = self.upstream_index.get(&key) {
            return Ok(*index);
        }
        if has_port && self.upstream_index.get(name).is_some_and(|index| self.upstreams[*index].declared) {
            return Err(call.invalid(0, format!("the upstream \"{name}\" takes no port here")));
        }
        let servers = self.servers_at(call, host, default_port)?;
        let index = self.upstreams.len();
        let draft = UpstreamDraft { servers, keepalive: 0, algorithm: Algorithm::RoundRobin, ..UpstreamDraft::new() };
        let upstream = draft.finish(host.to_owned(), false, call.word(0).place.clone());
        self.upstreams.push(Upstream { key: key.clone(), ..upstream });
        self.upstream_index.insert(key, index);
        Ok(index)
    }

    /// The addresses of a server, at least one; a name is looked up.
    pub(crate) fn peer_addresses(
        &mut self,
        call: &Call<'_>,
        text: &str,
        default_port: u16,
    ) -> Result<Vec<PeerAddress>, Diagnostic> {
        match address::parse_peer(text, default_port).map_err(|error| call.invalid(0, error))? {
            Address::Socket(address) => Ok(vec![PeerAddress::Ip(address)]),
            Address::Unix(path) => Ok(vec![PeerAddress::Unix(path)]),
            Address::Name { host, port } => {
                let found = self.resolve(call.word(0), &host, port)?;
                Ok(found.into_iter().map(PeerAddress::Ip).collect())
            }
        }
    }

    fn servers_at(
        &mut self,
        call: &Call<'_>,
        host: &str,
        default_port: u16,
    ) -> Result<Vec<UpstreamServer>, Diagnostic> {
        let word = call.word(0);
        let found = self.peer_addresses(call, host, default_port);
        let addresses = found.map_err(|wrong| match wrong.code {
            "host-not-found" => self.with_near_upstream(wrong, address::split_host(host).0),
            _ => wrong,
        })?;
        let server = |address| UpstreamServer::new(host, address, word.place.clone());
        Ok(addresses.into_iter().map(server).collect())
    }

    fn with_near_upstream(&self, wrong: Diagnostic, host: &str) -> Diagnostic {
        let declared = self.upstreams.iter().filter(|upstream| upstream.declared);
        match suggest::nearest(host, declared.map(|upstream| upstream.name.as_str())) {
            Some(near) => wrong.help(format!("did you mean the upstream \"{near}\"?")),
            None => wrong.help("no upstream block has this name, and as a host it has no address"),
        }
    }
}

/// The place of a thing among others, at their end if it is new.
fn number_of<T: Clone + PartialEq>(thing: &T, all: &mut Vec<T>) -> usize {
    all.iter().position(|other| other == thing).unwrap_or_else(|| {
        all.push(thing.clone());
        all.len() - 1
    })
}
