//! A configuration in nginx's language of what a plugin-cfg.xml says.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::plugin::{Cluster, Plugin, Route, Server, Uri, Warning};

/// The configuration, and what it leaves out; each of these is a comment in it, too.
pub(super) fn configuration(plugin: &Plugin, listen: &str) -> (String, Vec<Warning>) {
    let mut warnings = plugin.left_out.clone();
    let names = names(plugin);
    let mut body = String::new();
    for cluster in &plugin.clusters {
        upstream(&mut body, cluster, &names[&cluster.name], plugin, &mut warnings);
    }
    for (hosts, routes) in by_hosts(plugin) {
        server(&mut body, listen, &hosts, &routes, (plugin, &names), &mut warnings);
    }
    warnings.sort_by_key(|warning| warning.line);
    let mut text = String::from(HEAD);
    if !warnings.is_empty() {
        text += "# Without counterpart, by the line of plugin-cfg.xml:\n";
        for warning in &warnings {
            let _ = writeln!(text, "#   {}: {}", warning.line, safe(&warning.text));
        }
        text += "\n";
    }
    text += "events {}\n\nhttp {\n";
    text += &body;
    text += "}\n";
    (text, warnings)
}

const HEAD: &str =
    "# Made of a plugin-cfg.xml by `bedloe import`: read it before it is used, and see `bedloe check -c FILE`.\n\n";

/// The upstream of each cluster: a name that nginx takes, and no other has.
fn names(plugin: &Plugin) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for cluster in &plugin.clusters {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        let mut name: String = cluster.name.chars().map(plain).collect();
        while name.is_empty() || names.values().any(|known| *known == name) {
            name.push('_');
        }
        names.insert(cluster.name.clone(), name);
    }
    names
}

fn upstream(out: &mut String, cluster: &Cluster, name: &str, plugin: &Plugin, warnings: &mut Vec<Warning>) {
    let _ = writeln!(out, "    upstream {name} {{");
    if cluster.is_random {
        *out += "        random;\n";
    }
    let cookie = cookie(cluster, plugin);
    let has_clones = cluster.servers.iter().any(|server| server.clone.is_some());
    if has_clones {
        let cookie = if cookie == "JSESSIONID" { String::new() } else { format!(" cookie={}", quoted(&cookie)) };
        let _ = writeln!(out, "        sticky liberty{cookie};");
    }
    if ![":", "+"].contains(&cluster.separator.as_str()) {
        let text = format!("the clone separator \"{}\" is not looked for: only : and + are", cluster.separator);
        warnings.push(Warning { line: cluster.line, text });
    }
    let mut written = 0;
    for server in &cluster.servers {
        if let Some(line) = peer(server, cluster, has_clones, warnings) {
            let _ = writeln!(out, "        {line}");
            written += 1;
        }
    }
    if written == 0 {
        warnings.push(Warning { line: cluster.line, text: format!("the cluster {} has no server", cluster.name) });
        *out += "        server 127.0.0.1:1 down;\n";
    }
    *out += "        keepalive 64;\n        # Liberty closes what is idle for 30 s (persistTimeout).\n";
    *out += "        keepalive_timeout 20s;\n    }\n\n";
}

/// `server ADDRESS ...;` of one server.
fn peer(server: &Server, cluster: &Cluster, has_clones: bool, warnings: &mut Vec<Warning>) -> Option<String> {
    let warn = |warnings: &mut Vec<Warning>, text: String| warnings.push(Warning { line: server.line, text });
    let plain = server.transports.iter().find(|(.., is_tls)| !is_tls).or(server.transports.first());
    let Some((host, port, is_tls)) = plain else {
        warn(warnings, format!("the server {} has no <Transport>, and is left out", server.name));
        return None;
    };
    let is_host =
        !host.is_empty() && host.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-:_".contains(letter));
    if !is_host || port.parse::<u16>().is_err() {
        warn(warnings, format!("the server {} is at no address: {host}:{port}; it is left out", server.name));
        return None;
    }
    if *is_tls {
        warn(
            warnings,
            format!(
                "the server {} is reached by https alone: write proxy_pass https://... and proxy_ssl_*",
                server.name
            ),
        );
    }
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let mut line = format!("server {host}:{port}");
    // A weight of 0 gets requests of its sessions alone, which `down` would refuse.
    if server.weight == 0 {
        warn(warnings, format!("the weight 0 of {} has no counterpart: it is 1 here", server.name));
    }
    let _ = write!(line, " weight={}", server.weight.max(1));
    if server.max_connections > 0 {
        let _ = write!(line, " max_conns={}", server.max_connections);
    }
    let _ = write!(line, " max_fails=1 fail_timeout={}s", cluster.retry_interval);
    // Beside servers with clone ids each needs a `route`: one that no cookie names does no harm.
    let nobody = format!("none-{}", server.line);
    let route = match &server.clone {
        Some(clone) if clone.contains([':', '+']) => {
            warn(warnings, format!("the clone id {clone} of {} holds a separator, and is left out", server.name));
            Some(nobody)
        }
        Some(clone) => Some(clone.clone()),
        None if has_clones => {
            warn(warnings, format!("the server {} has no CloneID: no session stays with it", server.name));
            Some(nobody)
        }
        None => None,
    };
    if let Some(route) = route {
        let _ = write!(line, " route={}", quoted(&route));
    }
    if server.is_backup {
        line += " backup";
    }
    let shown = safe(&server.name);
    Some(format!("{line}; # {shown}"))
}

/// The cookie of the addresses that lead to a cluster.
fn cookie(cluster: &Cluster, plugin: &Plugin) -> String {
    let routes = plugin.routes.iter().filter(|route| route.cluster == cluster.name);
    let mut uris = routes.filter_map(|route| plugin.uris.get(route.uris.as_ref()?)).flatten();
    uris.next().map_or_else(|| "JSESSIONID".to_owned(), |uri| uri.cookie.clone())
}

/// Routes by the hosts that they are for; those for all hosts last.
fn by_hosts(plugin: &Plugin) -> Vec<(Vec<String>, Vec<&Route>)> {
    let mut groups: Vec<(Vec<String>, Vec<&Route>)> = Vec::new();
    for route in &plugin.routes {
        let hosts = route.hosts.as_ref().and_then(|name| plugin.hosts.get(name)).cloned().unwrap_or_default();
        let mut names: Vec<String> =
            hosts.iter().map(|host| host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name).to_owned()).collect();
        names.sort();
        names.dedup();
        if names.iter().any(|name| name == "*") {
            names.clear();
        }
        match groups.iter_mut().find(|(known, _)| *known == names) {
            Some((_, routes)) => routes.push(route),
            None => groups.push((names, vec![route])),
        }
    }
    groups
}

fn server(
    out: &mut String,
    listen: &str,
    hosts: &[String],
    routes: &[&Route],
    (plugin, names): (&Plugin, &BTreeMap<String, String>),
    warnings: &mut Vec<Warning>,
) {
    let default = if hosts.is_empty() { " default_server" } else { "" };
    let _ = writeln!(out, "    server {{\n        listen {listen}{default};");
    if !hosts.is_empty() {
        let hosts: Vec<String> = hosts.iter().map(|host| quoted(host)).collect();
        let _ = writeln!(out, "        server_name {};", hosts.join(" "));
    }
    *out += "        proxy_http_version 1.1;\n        proxy_set_header Connection \"\";\n";
    *out += "        proxy_set_header Host $http_host;\n";
    *out += "        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n";
    *out += "        proxy_set_header X-Forwarded-Proto $scheme;\n";
    let mut seen: Vec<String> = Vec::new();
    for route in routes {
        let Some(cluster) = plugin.clusters.iter().find(|cluster| cluster.name == route.cluster) else {
            let text = format!("the route leads to no cluster: \"{}\"", route.cluster);
            warnings.push(Warning { line: route.line, text });
            continue;
        };
        let all = [Uri { name: "/*".to_owned(), line: route.line, cookie: String::new() }];
        let uris = route.uris.as_ref().and_then(|name| plugin.uris.get(name)).map_or(&all[..], Vec::as_slice);
        for uri in uris {
            for pattern in patterns(&uri.name) {
                if seen.contains(&pattern) {
                    let text = format!("{} is served by an earlier <Uri>", uri.name);
                    warnings.push(Warning { line: uri.line, text });
                    continue;
                }
                location(out, &pattern, cluster, &names[&cluster.name]);
                seen.push(pattern);
            }
        }
    }
    *out += "    }\n\n";
}

fn location(out: &mut String, pattern: &str, cluster: &Cluster, name: &str) {
    let longest = |of: fn(&Server) -> u64| cluster.servers.iter().map(of).max().unwrap_or(0);
    let (connect, io) = (longest(|server| server.connect_timeout), longest(|server| server.io_timeout));
    // 0 waits for ever, which no time-out here does.
    let [connect, io] = [connect, io].map(|seconds| if seconds == 0 { 86_400 } else { seconds });
    let _ = writeln!(
        out,
        "        location {pattern} {{\n            proxy_pass http://{name};\n            proxy_connect_timeout \
         {connect}s;\n            proxy_send_timeout {io}s;\n            proxy_read_timeout {io}s;\n        }}"
    );
}

/// The locations of a `Uri`: `/app/*` is all below it and itself, `*.jsp` an ending, anything else one address.
fn patterns(uri: &str) -> Vec<String> {
    if uri == "/*" || uri == "/" || uri == "*" {
        return vec!["/".to_owned()];
    }
    if let Some(folder) = uri.strip_suffix("/*").filter(|folder| !folder.contains('*')) {
        return vec![format!("= {}", quoted(folder)), quoted(&format!("{folder}/"))];
    }
    if let Some(prefix) = uri.strip_suffix('*').filter(|prefix| !prefix.contains('*') && prefix.starts_with('/')) {
        return vec![quoted(prefix)];
    }
    if uri.contains('*') {
        let parts: Vec<String> = uri.split('*').map(escaped).collect();
        return vec![format!("~ {}", quoted(&format!("^{}$", parts.join(".*"))))];
    }
    vec![format!("= {}", quoted(uri))]
}

/// A text as it is in a regular expression.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        if !letter.is_alphanumeric() && !"/_-".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// A word of the language, in quotes where it needs them. Control characters are no part of any.
fn quoted(text: &str) -> String {
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-!*".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text for a comment or a message: on one line.
pub(super) fn safe(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_locations() {
        for (uri, expected) in [
            ("/app/*", &["= /app", "/app/"][..]),
            ("/*", &["/"]),
            ("/app", &["= /app"]),
            ("/app*", &["/app"]),
            ("*.jsp", &["~ \"^.*\\\\.jsp$\""]),
            ("/a/*.do", &["~ \"^/a/.*\\\\.do$\""]),
            ("/a b;}\n{", &["= \"/a b;}{\""]),
        ] {
            assert_eq!(patterns(uri), expected, "{uri}");
        }
    }
}
