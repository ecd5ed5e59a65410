//! The files of one server: its configuration and an application without a build, whose two pages are those of a
//! stand-in.

use crate::plan::Server;

/// Memory of one server's heap: less than the first is too little for the features, more than the second for nothing.
const HEAP_MIB: std::ops::RangeInclusive<u64> = 128..=512;
/// The part of the machine's memory that all heaps may have: the rest of a server takes as much again.
const HEAPS_PART: u64 = 4;

/// One file, by its path in the server's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub path: &'static str,
    /// What it holds.
    pub text: String,
}

/// `host` is the server's own address: `*` would collide on one port. Liberty's defaults stand where a user's would.
const SERVER: &str = r#"<server description="bedloe lab">
  <featureManager>
    <feature>pages-3.1</feature>
    <feature>mpHealth-4.0</feature>
    <feature>mpMetrics-5.1</feature>
  </featureManager>
  <httpEndpoint id="defaultHttpEndpoint" host="${http.host}" httpPort="${http.port}" httpsPort="-1"/>
  <httpSession cloneId="${clone.id}"/>
  <mpMetrics authentication="false"/>
  <webApplication location="lab.war" contextRoot="/accounts-external"/>
</server>
"#;
const APPLICATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
  <servlet><servlet-name>hello</servlet-name><jsp-file>/hello.jsp</jsp-file></servlet>
  <servlet-mapping><servlet-name>hello</servlet-name><url-pattern>/api/hello</url-pattern></servlet-mapping>
  <servlet><servlet-name>session</servlet-name><jsp-file>/session.jsp</jsp-file></servlet>
  <servlet-mapping><servlet-name>session</servlet-name><url-pattern>/api/session</url-pattern></servlet-mapping>
</web-app>
"#;
/// Without `session="false"` every request would make a session.
const HELLO: &str = r#"<%@ page session="false" contentType="application/json" trimDirectiveWhitespaces="true" %>"#;
const SESSION: &str = r#"<%@ page contentType="application/json" trimDirectiveWhitespaces="true" %><%
  Integer n = (Integer) session.getAttribute("n");
  n = n == null ? 1 : n + 1;
  session.setAttribute("n", n);
%>{"n":<%= n %>,"server":"<%= System.getProperty("wlp.server.name") %>","id":"<%= session.getId() %>"}"#;

/// The files of `server`, one of `servers` on a machine with so much memory. `secret` encrypts what nothing here uses,
/// and without it every start would complain.
#[must_use]
pub fn files(server: &Server, servers: usize, memory_mib: u64, secret: &str) -> Vec<File> {
    let heap = heap_mib(servers, memory_mib);
    let (host, port) = (server.address.ip(), server.address.port());
    let bootstrap = format!("http.host={host}\nhttp.port={port}\nclone.id={}\n", server.clone);
    let file = |path, text: &str| File { path, text: text.to_owned() };
    vec![
        file("server.xml", SERVER),
        file("bootstrap.properties", &bootstrap),
        file("jvm.options", &format!("-Xms{}m\n-Xmx{heap}m\n-XX:+ExitOnOutOfMemoryError\n", heap / 2)),
        file("server.env", &format!("keystore_password={secret}\nltpa_keys_password={secret}\n")),
        file("apps/lab.war/WEB-INF/web.xml", APPLICATION),
        file("apps/lab.war/hello.jsp", &format!("{HELLO}{}", crate::stand_in::HELLO)),
        file("apps/lab.war/session.jsp", SESSION),
    ]
}

fn heap_mib(servers: usize, memory_mib: u64) -> u64 {
    let share = memory_mib / HEAPS_PART / (servers.max(1) as u64);
    share.clamp(*HEAP_MIB.start(), *HEAP_MIB.end())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn made() -> Vec<File> {
        let address = "127.0.0.12:9080".parse().unwrap();
        files(&Server { name: "liberty-2".into(), clone: "s2".into(), address }, 3, 4096, "x")
    }

    fn text(path: &str) -> String {
        made().into_iter().find(|file| file.path == path).unwrap().text
    }

    #[test]
    fn a_server_is_told_its_address_and_its_clone_id() {
        assert_eq!(text("bootstrap.properties"), "http.host=127.0.0.12\nhttp.port=9080\nclone.id=s2\n");
        let server = text("server.xml");
        for name in
            ["${http.host}", "${http.port}", "${clone.id}", "mpHealth-4.0", "contextRoot=\"/accounts-external\""]
        {
            assert_eq!(server.matches(name).count(), 1, "{name}");
        }
    }

    #[test]
    fn heaps_fit_into_the_machine() {
        for (servers, memory_mib, heap) in
            [(3, 24_000, 512), (3, 4096, 341), (3, 1024, 128), (64, 24_000, 128), (0, 0, 128)]
        {
            assert_eq!(heap_mib(servers, memory_mib), heap, "{servers} in {memory_mib} MiB");
        }
        assert_eq!(text("jvm.options"), "-Xms170m\n-Xmx341m\n-XX:+ExitOnOutOfMemoryError\n");
    }

    #[test]
    fn the_pages_are_those_of_a_stand_in() {
        let application = text("apps/lab.war/WEB-INF/web.xml");
        for page in ["hello", "session"] {
            assert!(application.contains(&format!("<jsp-file>/{page}.jsp</jsp-file>")));
            assert!(application.contains(&format!("<url-pattern>/api/{page}</url-pattern>")));
        }
        let hello = text("apps/lab.war/hello.jsp");
        assert!(hello.starts_with("<%@ page session=\"false\"") && hello.ends_with(crate::stand_in::HELLO), "{hello}");
    }
}
