//! Requests: what the upstream sees of their lines and fields, and which never get there.

use super::run::play;
use super::script::{forwarded, forwarded_last, get, get_seen, post, post_seen, refused};

#[test]
fn rfc_9112_2_messages() {
    let empty_lines = "\r\n".repeat(6) + &get("");
    play(&[
        forwarded(
            "9112 2.1: a head goes on as it came, Host aside",
            get("X: 1\r\nx: 2\r\n"),
            get_seen("X: 1\r\nx: 2\r\n"),
        ),
        forwarded(
            "9112 2.2: a line feed alone ends a line, and goes on as CR LF",
            "GET / HTTP/1.1\nHost: a\nX: 1\n\n",
            get_seen("X: 1\r\n"),
        ),
        forwarded(
            "9112 2.2: empty lines before a request are no request",
            format!("\r\n\r\n{}", get("")),
            get_seen(""),
        ),
        refused("9112 2.2: but not any number of them", empty_lines, 400),
        refused("9112 2.2: a bare CR in a value", get("X: b\rY: c\r\n"), 400),
        refused("9112 2.2: a bare CR before a line end", get("X: b\r\r\n"), 400),
        refused("9112 2.2: a bare CR at the end of the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
        refused("9112 2.2: a bare CR before the request", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 2.2: white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        refused(
            "9112 2.2: white space before the first field, and it is none",
            "GET / HTTP/1.1\r\n X\r\nHost: a\r\n\r\n",
            400,
        ),
        forwarded_last(
            "9112 2.3: a request of HTTP/1.0 goes on as the balancer's own version",
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            get_seen(""),
        ),
        refused("9112 2.3: the name of the protocol in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 2.3: a version of two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
        refused("9112 2.3: a version without its second digit", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400),
        refused("9110 15.6.6: a major version that is not served", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        refused("9110 2.5: a minor version that there is not", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    ]);
}

#[test]
fn rfc_9112_3_request_lines() {
    let line = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9_000));
    let endless_line = format!("GET /{}", "x".repeat(40_000));
    play(&[
        refused("9112 3: two spaces after the method", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3: two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3: a space behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        refused("9112 3: a space before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3: tabs in place of spaces", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3: no version", "GET /\r\nHost: a\r\n\r\n", 400),
        refused("9112 3: no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3: a handshake of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03 / \r\n", 400),
        refused("9112 3: a line over its limit", line, 414),
        refused("9112 3: a line without an end", endless_line, 414),
        forwarded(
            "9112 3.1: a method's letters are what they are",
            "get / HTTP/1.1\r\nHost: a\r\n\r\n",
            "get / HTTP/1.1\r\nHost: app\r\n\r\n",
        ),
        forwarded(
            "9112 3.1: a method that nobody knows",
            "!#$%&'*+-.^_`|~09aZ / HTTP/1.1\r\nHost: a\r\n\r\n",
            "!#$%&'*+-.^_`|~09aZ / HTTP/1.1\r\nHost: app\r\n\r\n",
        ),
        refused("9112 3.1: a method that is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2: a space in a target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2: a tab in a target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2: a control character in a target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2: DEL in a target", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2: NUL in a target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2: a fragment in a target", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2: NUL behind a percent sign", "GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2: a percent sign without digits", "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2: a path that leads above its root", "GET /../etc HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        forwarded(
            "9112 3.2.1: a path and query go on as they came",
            "GET /a/./b//%41?c=%zz&/../d HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a/./b//%41?c=%zz&/../d HTTP/1.1\r\nHost: app\r\n\r\n",
        ),
        refused("9112 3.2.1: a path without its slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        forwarded(
            "9112 3.2.2: a target with a host goes on as its path, and its host is the host",
            "GET http://b.example:81/host/?x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /host/?x HTTP/1.1\r\nHost: b.example\r\n\r\n",
        ),
        forwarded(
            "9112 3.2.2: with an empty path it goes on as a slash",
            "GET http://b.example HTTP/1.1\r\nHost: a\r\n\r\n",
            get_seen(""),
        ),
        forwarded(
            "9112 3.2.2: the scheme in any letters",
            "GET HTTPS://b/x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /x HTTP/1.1\r\nHost: app\r\n\r\n",
        ),
        refused("9112 3.2.2: Host is required beside it", "GET http://b/x HTTP/1.1\r\n\r\n", 400),
        refused("9112 3.2.2: a target with an empty host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2.2: a target with a user", "GET http://u@b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2.2: a target of another scheme", "GET ftp://b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2.3: a tunnel is not served", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 405),
        refused("9112 3.2.3: a path for CONNECT", "CONNECT /x HTTP/1.1\r\nHost: a:80\r\n\r\n", 400),
        refused("9112 3.2.3: an authority for another method", "GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 400),
        forwarded(
            "9112 3.2.4: the asterisk of OPTIONS",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: app\r\n\r\n",
        ),
        refused("9112 3.2.4: the asterisk of another method", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc_9110_7_2_hosts() {
    play(&[
        forwarded(
            "9110 7.2: Host as it came, without its port",
            "GET /host/ HTTP/1.1\r\nhOST:\tA.example:81 \r\n\r\n",
            "GET /host/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        ),
        forwarded(
            "9110 7.2: an address of IPv6",
            "GET /host/ HTTP/1.1\r\nHost: [::1]:81\r\n\r\n",
            "GET /host/ HTTP/1.1\r\nHost: [::1]\r\n\r\n",
        ),
        forwarded_last("9112 3.2: HTTP/1.0 may do without", "GET / HTTP/1.0\r\n\r\n", get_seen("")),
        refused("9112 3.2: HTTP/1.1 may not", "GET / HTTP/1.1\r\n\r\n", 400),
        refused("9112 3.2: two that are alike", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        refused("9112 3.2: two that differ", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        refused("9112 3.2: two of HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        refused("9112 3.2: an empty one", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        refused("9112 3.2: a space in it", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        refused("9112 3.2: a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        refused("9112 3.2: a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        refused("9112 3.2: a user", "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400),
        refused("9112 3.2: a port that is none", "GET / HTTP/1.1\r\nHost: a:port\r\n\r\n", 400),
        refused("9112 3.2: a bracket left open", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
        refused("9112 3.2: a host in the target that is none", "GET http://a b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc_9112_5_fields() {
    let endless_field = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(40_000));
    play(&[
        forwarded(
            "9112 5: white space behind a value does not go on",
            get("X: \t b c \t\r\nY:d\r\n"),
            get_seen("X: \t b c\r\nY:d\r\n"),
        ),
        forwarded(
            "9110 5.1: names in any letters",
            "GET / HTTP/1.1\r\nHOST: a\r\nconNECTION: CLOse, x\r\nX: 1\r\nY: 2\r\n\r\n".replace("CLOse, ", ""),
            get_seen("Y: 2\r\n"),
        ),
        forwarded(
            "9110 5.3: fields of one name stay in their order",
            get("X: 1\r\nY: 2\r\nX: 3\r\n"),
            get_seen("X: 1\r\nY: 2\r\nX: 3\r\n"),
        ),
        forwarded("9110 5.5: an empty value", get("X:\r\nY:\r\n"), get_seen("X:\r\nY:\r\n")),
        forwarded(
            "9110 5.5: letters beyond ASCII are opaque",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\xff\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: app\r\nX: \xc3\xa9\xff\r\n\r\n",
        ),
        forwarded("9110 5.6.2: any token is a name", get("X-1!#%&'*+^`|~: 1\r\n"), get_seen("")),
        refused("9112 5.1: a space before the colon", get("X : b\r\n"), 400),
        refused("9112 5.1: a tab before the colon", get("X\t: b\r\n"), 400),
        refused("9112 5.1: a space before the colon of Host", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        refused("9112 5.1: no name", get(": b\r\n"), 400),
        refused("9112 5.1: no colon", get("no colon\r\n"), 400),
        refused("9110 5.6.2: a name that is no token", get("X@: b\r\n"), 400),
        refused("9110 5.6.2: a name with a letter beyond ASCII", get("\u{e9}: b\r\n"), 400),
        refused("9110 5.6.2: NUL in a name", get("X\0: b\r\n"), 400),
        refused("9112 5.2: a folded field", get("X: b\r\n c\r\n"), 400),
        refused("9112 5.2: one folded with a tab", get("X: b\r\n\tc\r\n"), 400),
        refused("9112 5.2: one folded to nothing", get("X: b\r\n \r\n"), 400),
        refused("9110 5.5: NUL in a value", get("X: b\0c\r\n"), 400),
        refused("9110 5.5: a control character in a value", get("X: b\x01\r\n"), 400),
        refused("9110 5.5: DEL in a value", get("X: b\x7f\r\n"), 400),
        refused("9110 5.4: a field over its limit", get(&format!("X: {}\r\n", "x".repeat(9_000))), 400),
        refused("9110 5.4: a field without an end", endless_field, 400),
        refused(
            "9110 5.4: fields over their limit together",
            get(&format!("X: {}\r\n", "x".repeat(7_000)).repeat(5)),
            400,
        ),
        refused("9110 5.4: too many fields", get(&"X: 1\r\n".repeat(1_001)), 400),
        refused(
            "9110 7.6.1: too many options in Connection",
            get(&format!("Connection: {}\r\n", "x, ".repeat(40))),
            400,
        ),
    ]);
}

#[test]
fn rfc_9110_7_6_fields_of_one_connection() {
    play(&[
        forwarded(
            "9110 7.6.1: Connection ends here, and what it names",
            get("Connection: X, ,y ,keep-alive\r\nX: 1\r\nY: 2\r\nZ: 3\r\n"),
            get_seen("Z: 3\r\n"),
        ),
        forwarded(
            "9110 7.6.1: each of two Connections",
            get("Connection: x\r\nX: 1\r\nY: 2\r\nConnection: y\r\n"),
            get_seen(""),
        ),
        forwarded(
            "9110 7.6.1: what frames a message is not to be named away",
            post("Connection: Content-Length, Host\r\nContent-Length: 2\r\n", "hi"),
            post_seen("Content-Length: 2\r\n", "hi"),
        ),
        forwarded(
            "9110 7.6.1: Keep-Alive and Proxy-Connection end here unnamed",
            get("Keep-Alive: timeout=5\r\nProxy-Connection: x\r\n"),
            get_seen(""),
        ),
        forwarded("9110 10.1.4: TE ends here unnamed", get("TE: trailers\r\n"), get_seen("")),
        forwarded("9110 7.8: Upgrade ends here unnamed", get("Upgrade: x\r\n"), get_seen("")),
        forwarded(
            "9110 7.8: Upgrade and its option end where the location does not ask for them",
            get("Upgrade: x\r\nConnection: upgrade\r\n"),
            get_seen(""),
        ),
        forwarded(
            "9113 3.1: HTTP2-Settings ends here",
            get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
            get_seen(""),
        ),
        forwarded(
            "9110 7.6.3: Via of proxies before goes on",
            get("Via: 1.0 fred, 1.1 p.example\r\n"),
            get_seen("Via: 1.0 fred, 1.1 p.example\r\n"),
        ),
        forwarded(
            "9110 7.7: what is said of caching and ranges goes on",
            get("Cache-Control: no-transform\r\nRange: bytes=0-1\r\n"),
            get_seen("Cache-Control: no-transform\r\nRange: bytes=0-1\r\n"),
        ),
        forwarded(
            "9110 11.7: credentials for a proxy go on",
            get("Proxy-Authorization: Basic eA==\r\n"),
            get_seen("Proxy-Authorization: Basic eA==\r\n"),
        ),
        refused("9110 9.3.8: TRACE is not served", "TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405),
    ]);
}
