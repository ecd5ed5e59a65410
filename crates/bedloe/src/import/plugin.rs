//! What a plugin-cfg.xml says: clusters, groups of addresses, and routes from one to the other.
//!
//! Its elements and defaults are those of IBM's documentation of the file ("plugin-cfg.xml file").

use std::collections::BTreeMap;
use std::path::Path;

use roxmltree::Node;

use crate::xml::{self, Places};

/// A file taken apart.
#[derive(Debug, Default)]
pub(super) struct Plugin {
    pub(super) clusters: Vec<Cluster>,
    /// Groups of addresses by name.
    pub(super) uris: BTreeMap<String, Vec<Uri>>,
    /// Names of hosts by the group's name.
    pub(super) hosts: BTreeMap<String, Vec<String>>,
    pub(super) routes: Vec<Route>,
    /// What has no counterpart.
    pub(super) left_out: Vec<Warning>,
    places: Places,
}

/// Something to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Warning {
    pub(super) line: u32,
    pub(super) text: String,
}

/// `ServerCluster`.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) line: u32,
    /// `LoadBalance="Random"`.
    pub(super) is_random: bool,
    /// `RetryInterval`, in seconds.
    pub(super) retry_interval: u64,
    pub(super) separator: String,
    pub(super) servers: Vec<Server>,
}

/// `Server`.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) clone: Option<String>,
    pub(super) weight: u32,
    /// In seconds; 0 is no limit.
    pub(super) connect_timeout: u64,
    pub(super) io_timeout: u64,
    /// -1 is no limit.
    pub(super) max_connections: i64,
    /// Host, port, and whether it is TLS; the first is used.
    pub(super) transports: Vec<(String, String, bool)>,
    pub(super) is_backup: bool,
}

/// `Uri`.
#[derive(Debug, Clone)]
pub(super) struct Uri {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) cookie: String,
}

/// `Route`.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) line: u32,
    pub(super) cluster: String,
    pub(super) uris: Option<String>,
    pub(super) hosts: Option<String>,
}

/// Attributes that are understood, or that say nothing here.
const KNOWN: [(&str, &[&str]); 4] = [
    (
        "Config",
        &["ASDisableNagle", "AcceptAllContent", "AppServerPortPreference", "RefreshInterval", "ResponseChunkSize"],
    ),
    (
        "ServerCluster",
        &["Name", "LoadBalance", "RetryInterval", "CloneSeparatorChange", "RemoveSpecialHeaders", "PostBufferSize"],
    ),
    (
        "Server",
        &[
            "Name",
            "CloneID",
            "LoadBalanceWeight",
            "ConnectTimeout",
            "ServerIOTimeout",
            "MaxConnections",
            "WaitForContinue",
        ],
    ),
    ("Route", &["ServerCluster", "UriGroup", "VirtualHostGroup"]),
];
/// Attributes whose usual value is what is done anyway.
const USUAL: [(&str, &str); 12] = [
    ("ChunkedResponse", "false"),
    ("FIPSEnable", "false"),
    ("HTTPMaxHeaders", "300"),
    ("IISDisableNagle", "false"),
    ("IgnoreDNSFailures", "false"),
    ("TrustedProxyEnable", "false"),
    ("VHostMatchingCompat", "false"),
    ("IgnoreAffinityRequests", "true"),
    ("ServerIOTimeoutRetry", "-1"),
    ("ExtendedHandshake", "false"),
    ("WaitForContinue", "false"),
    ("ClusterAddress", ""),
];

/// Reads a file.
pub(super) fn read(path: &Path, text: &str) -> anyhow::Result<Plugin> {
    let document = xml::parse(path, text)
        .map_err(|(why, place)| anyhow::anyhow!("{}:{}:{}: {why}", path.display(), place.line, place.column))?;
    let root = document.root_element();
    anyhow::ensure!(
        root.has_tag_name("Config"),
        "{}: the file is of <{}>: want <Config>, as a plugin-cfg.xml",
        path.display(),
        root.tag_name().name()
    );
    let mut plugin = Plugin { places: Places::new(path, text), ..Plugin::default() };
    plugin.note_attributes(root);
    for node in root.children().filter(Node::is_element) {
        match node.tag_name().name() {
            "ServerCluster" => {
                let cluster = plugin.cluster(node);
                plugin.clusters.push(cluster);
            }
            "UriGroup" => {
                let uris = named(node, "Uri").map(|uri| plugin.uri(uri)).collect();
                plugin.uris.insert(attribute(node, "Name"), uris);
            }
            "VirtualHostGroup" => {
                let hosts = named(node, "VirtualHost").map(|host| attribute(host, "Name")).collect();
                plugin.hosts.insert(attribute(node, "Name"), hosts);
            }
            "Route" => {
                plugin.note_attributes(node);
                let told = |name: &str| node.attribute(name).map(str::to_owned);
                let (uris, hosts) = (told("UriGroup"), told("VirtualHostGroup"));
                plugin.routes.push(Route {
                    line: plugin.line(node),
                    cluster: attribute(node, "ServerCluster"),
                    uris,
                    hosts,
                });
            }
            // The plug-in's own log.
            "Log" => {}
            name => plugin.left_out(node, format!("<{name}> has no counterpart")),
        }
    }
    Ok(plugin)
}

impl Plugin {
    fn line(&self, node: Node<'_, '_>) -> u32 {
        self.places.element(node).line
    }

    fn left_out(&mut self, node: Node<'_, '_>, text: String) {
        let line = self.line(node);
        self.left_out.push(Warning { line, text });
    }

    /// Notes attributes that have no counterpart.
    fn note_attributes(&mut self, node: Node<'_, '_>) {
        let name = node.tag_name().name();
        let known = KNOWN.iter().find(|(element, _)| *element == name).map_or(&[][..], |(_, known)| *known);
        for attribute in node.attributes() {
            let is_usual = USUAL
                .iter()
                .any(|(usual, value)| *usual == attribute.name() && value.eq_ignore_ascii_case(attribute.value()));
            if !is_usual && !known.contains(&attribute.name()) {
                let text = format!("{}=\"{}\" of <{name}> has no counterpart", attribute.name(), attribute.value());
                self.left_out(node, text);
            }
        }
    }

    fn cluster(&mut self, node: Node<'_, '_>) -> Cluster {
        self.note_attributes(node);
        if attribute(node, "RemoveSpecialHeaders").eq_ignore_ascii_case("false") {
            let text = "RemoveSpecialHeaders=\"false\" is not done: fields such as $WSRA of clients are for no server";
            self.left_out(node, text.to_owned());
        }
        if !["", "0"].contains(&node.attribute("PostBufferSize").unwrap_or_default()) {
            let text =
                "PostBufferSize has no counterpart: a POST goes to another server only where the first has not seen it";
            self.left_out(node, text.to_owned());
        }
        let backups: Vec<String> = listed(node, "BackupServers");
        let mut servers: Vec<Server> = named(node, "Server").map(|server| self.server(server)).collect();
        for server in &mut servers {
            server.is_backup = backups.contains(&server.name);
        }
        for child in node.children().filter(Node::is_element) {
            let name = child.tag_name().name();
            if !["Server", "PrimaryServers", "BackupServers"].contains(&name) {
                self.left_out(child, format!("<{name}> of <ServerCluster> has no counterpart"));
            }
        }
        Cluster {
            name: attribute(node, "Name"),
            line: self.line(node),
            is_random: attribute(node, "LoadBalance").eq_ignore_ascii_case("Random"),
            retry_interval: number(node, "RetryInterval", 60),
            separator: node.attribute("CloneSeparator").unwrap_or(":").to_owned(),
            servers,
        }
    }

    fn server(&mut self, node: Node<'_, '_>) -> Server {
        self.note_attributes(node);
        let mut transports = Vec::new();
        for child in node.children().filter(Node::is_element) {
            if child.has_tag_name("Transport") {
                let is_tls = attribute(child, "Protocol").eq_ignore_ascii_case("https");
                transports.push((attribute(child, "Hostname"), attribute(child, "Port"), is_tls));
            } else {
                self.left_out(child, format!("<{}> of <Server> has no counterpart", child.tag_name().name()));
            }
        }
        Server {
            name: attribute(node, "Name"),
            line: self.line(node),
            clone: node.attribute("CloneID").filter(|id| !id.is_empty()).map(str::to_owned),
            weight: number(node, "LoadBalanceWeight", 20),
            connect_timeout: number(node, "ConnectTimeout", 5),
            io_timeout: number::<i64>(node, "ServerIOTimeout", 900).unsigned_abs(),
            max_connections: number(node, "MaxConnections", -1),
            transports,
            is_backup: false,
        }
    }

    fn uri(&mut self, node: Node<'_, '_>) -> Uri {
        let cookie = node.attribute("AffinityCookie").unwrap_or("JSESSIONID").to_owned();
        let identifier = node.attribute("AffinityURLIdentifier").unwrap_or("jsessionid");
        if identifier != "jsessionid" {
            self.left_out(node, format!("AffinityURLIdentifier=\"{identifier}\" has no counterpart"));
        }
        Uri { name: attribute(node, "Name"), line: self.line(node), cookie }
    }
}

fn attribute(node: Node<'_, '_>, name: &str) -> String {
    node.attribute(name).unwrap_or_default().to_owned()
}

fn number<T: std::str::FromStr>(node: Node<'_, '_>, name: &str, usual: T) -> T {
    node.attribute(name).and_then(|text| text.trim().parse().ok()).unwrap_or(usual)
}

fn named<'a, 'i: 'a>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// The names of the servers in `PrimaryServers` or `BackupServers`.
fn listed(node: Node<'_, '_>, list: &'static str) -> Vec<String> {
    named(node, list).flat_map(|list| named(list, "Server")).map(|server| attribute(server, "Name")).collect()
}
