//! The names of the servers at one address.

use std::collections::HashMap;

use conf::tree::Pattern;

use crate::map::Scratch;
use crate::names::Names;
use crate::patterns::Patterns;

/// Names longer than this are no server's: a domain name has at most 253 characters.
const MAX_NAME: usize = 255;

/// Names, in lower case, with their servers. An exact one is found first, then the longest wildcard at the front, the
/// longest at the end, and the first pattern.
#[derive(Debug, Clone, Default)]
pub struct ServerNames {
    exact: HashMap<Vec<u8>, usize>,
    /// `*.example.com` as `.example.com`.
    leading: HashMap<Vec<u8>, usize>,
    /// `www.example.*` as `www.example.`.
    trailing: HashMap<Vec<u8>, usize>,
    /// Indexes of expressions and servers.
    patterns: Vec<(usize, usize)>,
}

impl ServerNames {
    /// Adds a name as a configuration has it. Of two servers with one name the first has it.
    pub(crate) fn add(&mut self, name: &str, server: usize, names: &Names) {
        if let Some(source) = name.strip_prefix('~') {
            let pattern = Pattern { source: source.to_owned(), ignore_case: true, has_names: false };
            self.patterns.push((names.add_pattern(&pattern), server));
            return;
        }
        let name = name.to_ascii_lowercase();
        if let Some(rest) = name.strip_prefix('*') {
            self.leading.entry(rest.into()).or_insert(server);
        } else if let Some(rest) = name.strip_suffix('*') {
            self.trailing.entry(rest.into()).or_insert(server);
        } else if let Some(bare) = name.strip_prefix('.') {
            self.leading.entry(name.clone().into()).or_insert(server);
            self.exact.entry(bare.into()).or_insert(server);
        } else {
            self.exact.entry(name.into()).or_insert(server);
        }
    }

    /// The server of a host as the client wrote it: case, port and a final dot do not matter.
    pub fn find(&self, host: &[u8], patterns: &Patterns, scratch: &mut Scratch) -> Option<usize> {
        let host = bare_host(host);
        let mut lower = [0; MAX_NAME];
        let lower = lower.get_mut(..host.len())?;
        lower.copy_from_slice(host);
        lower.make_ascii_lowercase();
        self.exact
            .get(&*lower)
            .or_else(|| self.find_leading(lower))
            .or_else(|| self.find_trailing(lower))
            .copied()
            .or_else(|| self.find_pattern(lower, patterns, scratch))
    }

    fn find_leading(&self, host: &[u8]) -> Option<&usize> {
        if self.leading.is_empty() {
            return None;
        }
        memchr::memchr_iter(b'.', host).find_map(|dot| self.leading.get(&host[dot..]))
    }

    fn find_trailing(&self, host: &[u8]) -> Option<&usize> {
        if self.trailing.is_empty() {
            return None;
        }
        memchr::memrchr_iter(b'.', host).find_map(|dot| self.trailing.get(&host[..=dot]))
    }

    fn find_pattern(&self, host: &[u8], patterns: &Patterns, scratch: &mut Scratch) -> Option<usize> {
        let mut candidates = self.patterns.iter().filter(|_| !host.is_empty());
        candidates.find(|(pattern, _)| patterns.matches(*pattern, host, scratch)).map(|(_, server)| *server)
    }
}

/// A host without its port and without the final dot of a full name.
fn bare_host(host: &[u8]) -> &[u8] {
    let end = match host.first() {
        Some(b'[') => host.iter().position(|&byte| byte == b']').map(|bracket| bracket + 1),
        _ => host.iter().position(|&byte| byte == b':'),
    };
    let host = &host[..end.unwrap_or(host.len())];
    host.strip_suffix(b".").unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_nginx_s_order() {
        let names = Names::default();
        let mut servers = ServerNames::default();
        let written = [
            ("exact.com", 1),
            ("*.com", 2),
            (".Both.com", 3),
            ("*.a.both.com", 4),
            ("www.*", 5),
            ("www.more.*", 6),
            ("~^(\\w+)\\.org$", 7),
            ("~.", 8),
            ("exact.com", 9),
        ];
        for (name, server) in written {
            servers.add(name, server, &names);
        }
        let patterns = names.into_patterns();
        let cases = [
            ("exact.com", 1),
            ("EXACT.com.:80", 1),
            ("x.exact.com", 2),
            ("both.com", 3),
            ("x.y.both.com", 3),
            ("a.both.com", 3),
            ("x.a.both.com", 4),
            ("www.com", 2),
            ("www.net", 5),
            ("www.more.net.uk", 6),
            ("one.org", 7),
            ("one.two.org", 8),
            ("[::1]:80", 8),
        ];
        for (host, server) in cases {
            let found = servers.find(host.as_bytes(), &patterns, &mut Scratch::default());
            assert_eq!(found, Some(server), "{host}");
        }
        assert_eq!(servers.find(b"", &patterns, &mut Scratch::default()), None);
        assert_eq!(servers.find(&[b'a'; 70_000], &patterns, &mut Scratch::default()), None);
    }
}
