//! Traps that files made for nginx bring: what is valid there and here, means the same, and seldom what was meant.
//!
//! They are looked for in the file as it is written, levels and all; what needs the finished tree is in `lints`.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;

/// Directives of which one puts aside all from above.
const PUT_ASIDE: [&str; 2] = ["proxy_set_header", "add_header"];
/// Names told in one message; the rest is counted.
const NAMES_TOLD: usize = 4;

/// Looks for all of them in what stands in `http`.
pub(crate) fn run(nodes: &[Node]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for http in nodes.iter().filter(|node| node.name.text == "http") {
        let block = http.block.as_deref().unwrap_or_default();
        let names = Names::of(block);
        walk(block, &Above::default(), &names, &mut found);
        found.extend(plain_on_443(block));
    }
    found
}

/// What holds from the levels above.
#[derive(Default, Clone)]
struct Above<'n> {
    /// The fields that are set, for each of [`PUT_ASIDE`].
    fields: [Vec<&'n Word>; 2],
    has_resolver: bool,
}

/// Names that stand anywhere in the block.
struct Names<'n> {
    upstreams: HashSet<String>,
    /// What `set` gives variables.
    values: HashMap<&'n str, Vec<&'n str>>,
}

impl<'n> Names<'n> {
    fn of(nodes: &'n [Node]) -> Self {
        let upstreams = nodes.iter().filter(|node| node.name.text == "upstream").filter_map(|node| node.args.first());
        let mut names =
            Self { upstreams: upstreams.map(|word| word.text.to_ascii_lowercase()).collect(), values: HashMap::new() };
        names.add(nodes);
        names
    }

    fn add(&mut self, nodes: &'n [Node]) {
        for node in nodes {
            if let ("set", [name, value]) = (node.name.text.as_str(), node.args.as_slice()) {
                self.values.entry(&name.text).or_default().push(&value.text);
            }
            self.add(node.block.as_deref().unwrap_or_default());
        }
    }

    /// The host name that a variable always is, which somebody would have to look up.
    fn host(&self, variable: &str) -> Option<&'n str> {
        let values = self.values.get(variable)?;
        let is_name = |value: &&str| {
            let host = value.rsplit("://").next().unwrap_or_default().split(['/', ':']).next().unwrap_or_default();
            let is_known = host.parse::<IpAddr>().is_ok() || self.upstreams.contains(&host.to_ascii_lowercase());
            !host.is_empty() && !value.contains(['$', '[']) && !is_known && !value.starts_with("unix:")
        };
        values.iter().all(is_name).then(|| values.first().copied()).flatten()
    }
}

fn walk<'n>(nodes: &'n [Node], above: &Above<'n>, names: &Names<'_>, found: &mut Vec<Diagnostic>) {
    let mut level = above.clone();
    level.has_resolver |= nodes.iter().any(|node| node.name.text == "resolver");
    for (index, name) in PUT_ASIDE.into_iter().enumerate() {
        let own: Vec<&Node> = nodes.iter().filter(|node| node.name.text == name).collect();
        if let Some(first) = own.first() {
            let fields: Vec<&Word> = own.iter().filter_map(|node| node.args.first()).collect();
            found.extend(put_aside(first, &above.fields[index], &fields));
            level.fields[index] = fields;
        }
    }
    for node in nodes {
        let block = node.block.as_deref().unwrap_or_default();
        match node.name.text.as_str() {
            "location" => {
                found.extend(slashes(node, block));
                walk(block, &level, names, found);
            }
            "server" | "if" | "limit_except" => walk(block, &level, names, found),
            "proxy_pass" if !level.has_resolver => found.extend(no_resolver(node, names)),
            _ => {}
        }
    }
}

/// Clients speak TLS on port 443, whatever a server expects that has a certificate.
fn plain_on_443(http: &[Node]) -> Vec<Diagnostic> {
    let has = |nodes: &[Node], name: &str| nodes.iter().any(|node| node.name.text == name);
    let servers = || http.iter().filter(|node| node.name.text == "server").filter_map(|node| node.block.as_deref());
    let listens = |server| <[Node]>::iter(server).filter(|node| node.name.text == "listen" && !node.args.is_empty());
    let speaks = |node: &&Node| node.args.iter().any(|word| word.text == "ssl");
    // One server's word holds for the address.
    let secure: HashSet<&str> =
        servers().flat_map(listens).filter(speaks).map(|node| node.args[0].text.as_str()).collect();
    let is_plain = |node: &&Node| {
        let address = node.args[0].text.as_str();
        address.rsplit(':').next() == Some("443") && !secure.contains(address)
    };
    let certified = has(http, "ssl_certificate");
    let meant = servers().filter(|server| (certified || has(server, "ssl_certificate")) && !has(server, "ssl"));
    let told = |node: &Node| {
        let message = format!("{} is listened on without TLS, though a certificate is here", node.args[0].shown());
        let help = "write \"ssl\" behind the address";
        Diagnostic::warning("plain-on-443", &node.name.place, message).help(help)
    };
    meant.flat_map(listens).filter(is_plain).map(told).collect()
}

/// A level that sets a field of its own loses those from above.
fn put_aside(first: &Node, above: &[&Word], own: &[&Word]) -> Option<Diagnostic> {
    let is_own = |field: &&&Word| own.iter().any(|word| word.text.eq_ignore_ascii_case(&field.text));
    let lost: Vec<&str> = above.iter().filter(|field| !is_own(field)).map(|field| field.text.as_str()).collect();
    if lost.is_empty() {
        return None;
    }
    let told = lost.iter().take(NAMES_TOLD).copied().collect::<Vec<_>>().join(", ");
    let more = lost.len().saturating_sub(NAMES_TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let name = &first.name.text;
    let message = format!("here \"{name}\" puts aside all from above: {told}{more} do not hold in this block");
    let help = format!("repeat them here; a file with all of them that each block includes keeps \"{name}\" together");
    Some(Diagnostic::warning("fields-put-aside", &first.name.place, message).help(help))
}

/// Paths that are replaced by others, of which only one ends with a slash.
fn slashes(location: &Node, block: &[Node]) -> Option<Diagnostic> {
    let path = match location.args.as_slice() {
        [path] if path.text.starts_with('/') => &path.text,
        [sign, path] if sign.text == "^~" => &path.text,
        _ => return None,
    };
    let written = block.iter().find(|node| matches!(node.name.text.as_str(), "alias" | "proxy_pass"))?;
    let word = written.args.first()?;
    let replacement = match written.name.text.as_str() {
        "alias" => word.text.as_str(),
        _ => uri(&word.text)?,
    };
    let (has, gets) = (path.ends_with('/'), replacement.ends_with('/'));
    if has == gets || path == "/" && replacement.is_empty() {
        return None;
    }
    let name = &written.name.text;
    let below = if has { format!("{path}x") } else { format!("{path}/x") };
    let becomes = format!("{replacement}{}", &below[path.len()..]);
    let message = format!("with this \"{name}\", {below} becomes {becomes}");
    let help = if has {
        format!("end both with a slash: {name} {}/;", word.text)
    } else {
        format!("end both with a slash: location {path}/ {{ ... }}")
    };
    Some(Diagnostic::warning("one-slash-missing", &word.place, message).help(help))
}

/// What stands behind the host of a `proxy_pass`, where that is fixed.
fn uri(address: &str) -> Option<&str> {
    let rest = address.split_once("://")?.1;
    let at = rest.find('/').filter(|_| !rest.starts_with("unix:"))?;
    Some(&rest[at..]).filter(|uri| !uri.contains(['$', '?']))
}

/// A name that is only known with each request must be looked up then.
fn no_resolver(pass: &Node, names: &Names<'_>) -> Option<Diagnostic> {
    let word = pass.args.first()?;
    let rest = word.text.split_once("://").map_or(word.text.as_str(), |(_, rest)| rest);
    let host = rest.split(['/', ':']).next().filter(|host| host.starts_with('$'))?;
    let name = names.host(host)?;
    let message = format!("{host} is \"{name}\", which nobody looks up: there is no \"resolver\", so this is a 502");
    let help = "write \"resolver ADDRESS;\", or an upstream of that name, or the name itself in place of the variable";
    Some(Diagnostic::warning("no-resolver", &word.place, message).help(help))
}
