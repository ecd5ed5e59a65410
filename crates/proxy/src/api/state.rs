//! `state`: the servers of an upstream in a file of nginx's language, so that they are the same after a restart.
//!
//! The file is written beside its place and then renamed: whoever reads it finds the one before or this one, whole.

use std::fmt::Write;
use std::io;
use std::path::Path;

use conf::table::{ServerAddress, server_address};
use conf::tree::{PeerAddress, UpstreamServer};

use super::objects::time;
use crate::snapshot::{Members, endpoint};
use crate::written;

/// Writes the file.
pub(super) fn write(path: &Path, members: &Members) -> io::Result<()> {
    written::replace(path, &text(members))
}

fn text(members: &Members) -> String {
    let mut text = "# Servers as `api` has set them. Written by bedloe with each change.\n".to_owned();
    for parent in &members.parents {
        line(&mut text, &parent.server.name, &parent.server, " resolve");
    }
    for member in members.all.iter().filter(|member| member.origin.is_none()) {
        let server = &member.server;
        let is_own = |at: &PeerAddress| *at == server.address;
        // A name that stands for several addresses was looked up when it was read.
        let name = match server_address(&server.name) {
            ServerAddress::At(at) if is_own(&at) => server.name.clone(),
            _ => endpoint(&server.address).to_string(),
        };
        line(&mut text, &name, server, "");
    }
    text
}

fn line(text: &mut String, name: &str, server: &UpstreamServer, more: &str) {
    let UpstreamServer { weight, max_conns, max_fails, fail_timeout_ms, slow_start_ms, .. } = *server;
    text.push_str("server ");
    quote(text, name);
    text.push_str(more);
    // Writing to a string does not fail.
    let _ = write!(text, " weight={weight} max_conns={max_conns} max_fails={max_fails}");
    let _ = write!(text, " fail_timeout={}", time(fail_timeout_ms));
    if slow_start_ms > 0 {
        let _ = write!(text, " slow_start={}", time(slow_start_ms));
    }
    if !server.route.is_empty() {
        text.push(' ');
        quote(text, &format!("route={}", server.route));
    }
    for (word, is_so) in [(" backup", server.backup), (" down", server.down), (" drain", server.drain)] {
        text.push_str(if is_so { word } else { "" });
    }
    text.push_str(";\n");
}

/// Appends a word as nginx's language has it: in quotes where something in it would end it.
fn quote(text: &mut String, word: &str) {
    if word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/[]=@%+".contains(&byte)) {
        return text.push_str(word);
    }
    text.push('"');
    for letter in word.chars() {
        if matches!(letter, '"' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use std::net::SocketAddr;
    use std::path::PathBuf;

    use conf::Loader;
    use conf::span::Place;

    use super::*;

    /// A configuration whose upstream has this state.
    struct Kept(String);

    impl Loader for Kept {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            let main = "events {} http { upstream u { zone u 64k; state /state; sticky route $arg_a; }
                server { location / { proxy_pass http://u; } } }";
            Ok(if path == Path::new("/state") { self.0.clone() } else { main.to_owned() }.into_bytes())
        }

        fn glob(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
            Ok(Vec::new())
        }

        fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let at = |text: &str| match server_address(text) {
            ServerAddress::At(address) => address,
            other => panic!("{text}: {other:?}"),
        };
        let server = |name: &str, route: &str| UpstreamServer {
            weight: 7,
            max_conns: 3,
            max_fails: 0,
            fail_timeout_ms: 61_000,
            down: true,
            drain: true,
            slow_start_ms: 1_500,
            route: route.to_owned(),
            ..UpstreamServer::new(name, at(name), Place::default())
        };
        let odd = r#"a;b {"c\} d$e #f"#;
        let mut members = Members::default();
        for (name, route) in [("127.0.0.1:80", "s1"), ("[::1]:81", odd), ("unix:/run/a.sock", ""), ("10.0.0.1", "x")] {
            members.add(server(name, route));
        }
        // A name was looked up once, and what it led to is what is kept.
        let named = UpstreamServer { name: "app.test".to_owned(), ..server("10.0.0.2:82", "") };
        members.add(UpstreamServer { backup: true, down: false, drain: false, slow_start_ms: 0, ..named });
        let loaded = conf::load(Path::new("/nginx.conf"), &Kept(text(&members)), &conf::Options::default());
        let config = loaded.config.unwrap_or_else(|| panic!("{}: {:?}", text(&members), loaded.diagnostics));
        let read = &config.http.upstreams[0].servers;
        let shown = |server: &UpstreamServer| {
            let UpstreamServer { weight, max_conns, max_fails, fail_timeout_ms, slow_start_ms, .. } = *server;
            let flags = (server.backup, server.down, server.drain);
            let numbers = (weight, max_conns, max_fails, fail_timeout_ms, slow_start_ms);
            (server.address.clone(), numbers, flags, server.route.clone())
        };
        let expected: Vec<_> = members.all.iter().map(|member| shown(&member.server)).collect();
        assert_eq!(read.iter().map(shown).collect::<Vec<_>>(), expected);
    }
}
