//! The variables that may be written in a configuration. Their values are `route`'s business.

/// A variable that is always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name without `$`; a name that ends in `_` stands for all that begin with it.
    pub name: &'static str,
    /// What it holds.
    pub doc: &'static str,
}

/// What is known of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Served,
    /// nginx has it, and it is to come.
    NotYet,
    Unknown,
}

/// All variables that are served, but for those that a `map` defines.
pub fn variables() -> &'static [Variable] {
    VARIABLES
}

/// Looks a name up.
pub(crate) fn known(name: &str) -> Known {
    let is = |listed: &str| if listed.ends_with('_') { prefixed(name, listed) } else { name == listed };
    if VARIABLES.iter().any(|variable| is(variable.name)) {
        Known::Served
    } else if NOT_YET.iter().any(|listed| is(listed)) {
        Known::NotYet
    } else {
        Known::Unknown
    }
}

fn prefixed(name: &str, prefix: &str) -> bool {
    name.len() > prefix.len() && name.starts_with(prefix)
}

const fn variable(name: &'static str, doc: &'static str) -> Variable {
    Variable { name, doc }
}

const VARIABLES: &[Variable] = &[
    variable("arg_", "the argument of that name in the request's query"),
    variable("args", "the query of the request"),
    variable("binary_remote_addr", "the client's address in binary form: 4 or 16 bytes"),
    variable("body_bytes_sent", "bytes of body sent to the client"),
    variable("bytes_sent", "bytes sent to the client"),
    variable("connection", "the number of the client's connection"),
    variable("connection_requests", "requests on this connection so far"),
    variable("connection_time", "seconds since the connection was made, with milliseconds"),
    variable("connections_active", "clients' connections that are open"),
    variable("connections_reading", "those whose request's head is being read"),
    variable("connections_waiting", "those that are idle"),
    variable("connections_writing", "requests that are being answered"),
    variable("content_length", "the request's Content-Length"),
    variable("content_type", "the request's Content-Type"),
    variable("cookie_", "the cookie of that name"),
    variable("date_gmt", "the time as pages have it: Sunday, 29-Nov-2026 12:00:00 GMT"),
    variable("date_local", "the same by the local clock"),
    variable("document_root", "the folder of root, or what alias says"),
    variable("document_uri", "the same as $uri"),
    variable("gzip_ratio", "how many times smaller gzip has made the answer"),
    variable("host", "the host of the request line or of Host, in lower case without the port, or the server's name"),
    variable("hostname", "the name of this machine"),
    variable("http2", "h2 over TLS, h2c without, empty for HTTP/1"),
    variable("http3", "nothing: HTTP/3 is not spoken"),
    variable("http_", "the request header of that name, in lower case and with _ for -"),
    variable("https", "\"on\" over TLS, else empty"),
    variable("is_args", "\"?\" if the request has a query, else empty"),
    variable("is_request_port", "\":\" if the client has asked for a port, else empty"),
    variable("limit_conn_status", "what limit_conn came to: PASSED, REJECTED, or that of a dry run"),
    variable("limit_rate", "bytes a second at which the answer goes, as set says: it can be set"),
    variable("limit_req_status", "what limit_req came to: PASSED, DELAYED, REJECTED, or that of a dry run"),
    variable("msec", "the time in seconds since 1970, with milliseconds"),
    variable("nginx_version", "the version of nginx whose language this is"),
    variable("pid", "the number of the worker process"),
    variable("pipe", "p if the request came before the answer to the one before it was out, else ."),
    variable("proxy_add_x_forwarded_for", "the request's X-Forwarded-For with the client's address appended"),
    variable("proxy_host", "the host and port of proxy_pass as written"),
    variable("proxy_port", "the port of proxy_pass, or the protocol's own"),
    variable("proxy_protocol_addr", "the client's address, as a proxy has said by the PROXY protocol"),
    variable("proxy_protocol_port", "the client's port, as it has said"),
    variable("proxy_protocol_server_addr", "the address that the client connected to, as it has said"),
    variable("proxy_protocol_server_port", "the port that the client connected to, as it has said"),
    variable("proxy_protocol_tlv_", "what it has added by that name, such as alpn, ssl_version or 0x05"),
    variable("query_string", "the same as $args"),
    variable("realip_remote_addr", "the address that the client's connection comes from"),
    variable("realip_remote_port", "the port that it comes from"),
    variable("realpath_root", "the same as $document_root, with all links followed"),
    variable("remote_addr", "the client's address"),
    variable("remote_port", "the client's port"),
    variable("remote_user", "the user name of Basic authentication"),
    variable("request", "the whole request line"),
    variable("request_body", "the request's body, where it was read for a server and is in memory"),
    variable("request_body_file", "nothing: the files that bodies are kept in have no names"),
    variable("request_completion", "OK once the answer is out whole, else empty"),
    variable("request_filename", "the path of the file that the request asks for"),
    variable("request_id", "32 hexadecimal digits of 16 random bytes, new with each request"),
    variable("request_length", "bytes of the request: line, headers and body"),
    variable("request_method", "the method, such as GET"),
    variable("request_port", "the port of the request line or of Host, if one is there"),
    variable("request_time", "seconds since the request's first byte, with milliseconds"),
    variable("request_uri", "the request's target as it came"),
    variable("scheme", "http or https"),
    variable("sent_http_", "the header of that name of the answer, in lower case and with _ for -"),
    variable("sent_trailer_", "the same of what follows the answer's body"),
    variable("server_addr", "the address that the client connected to"),
    variable("server_name", "the first name of the server that answers"),
    variable("server_port", "the port that the client connected to"),
    variable("server_protocol", "HTTP/1.0, HTTP/1.1 or HTTP/2.0"),
    variable("ssl_alpn_protocol", "the protocol agreed on in the TLS handshake"),
    variable("ssl_cipher", "the cipher of the TLS connection"),
    variable("ssl_ciphers", "the cipher suites that the client has offered, with colons between"),
    variable("ssl_client_cert", "the client's certificate as PEM, with a tab before each line but the first"),
    variable("ssl_client_escaped_cert", "the client's certificate as PEM, escaped for a URL"),
    variable("ssl_client_fingerprint", "SHA-1 of the client's certificate"),
    variable("ssl_client_i_dn", "the issuer of the client's certificate, by RFC 2253"),
    variable("ssl_client_i_dn_legacy", "the same in the form of old"),
    variable("ssl_client_raw_cert", "the client's certificate as PEM"),
    variable("ssl_client_s_dn", "the subject of the client's certificate, by RFC 2253"),
    variable("ssl_client_s_dn_legacy", "the same in the form of old"),
    variable("ssl_client_serial", "the serial number of the client's certificate"),
    variable("ssl_client_v_end", "when the client's certificate ends to hold"),
    variable("ssl_client_v_remain", "for how many days it holds"),
    variable("ssl_client_v_start", "when it begins to hold"),
    variable("ssl_client_verify", "SUCCESS, NONE without a certificate, or FAILED:REASON"),
    variable("ssl_curve", "the curve, or group, of the TLS handshake's key exchange"),
    variable("ssl_curves", "the groups that the client has offered for the key exchange"),
    variable("ssl_early_data", "empty: early data is never taken"),
    variable("ssl_protocol", "the protocol of the TLS connection"),
    variable("ssl_server_name", "the server name that the client asked for over TLS"),
    variable("ssl_session_reused", "r if the TLS session was resumed, else ."),
    variable("status", "the status of the answer"),
    variable("tcpinfo_rcv_space", "bytes of room for what comes, by the kernel"),
    variable("tcpinfo_rtt", "microseconds to the client and back, by the kernel"),
    variable("tcpinfo_rttvar", "how many microseconds they vary"),
    variable("tcpinfo_snd_cwnd", "packets that may be under way, by the kernel"),
    variable("time_iso8601", "the time by ISO 8601"),
    variable("time_local", "the time as access logs write it"),
    variable("upstream_addr", "the servers that were asked, by address"),
    variable("upstream_bytes_received", "bytes that came from each server"),
    variable("upstream_bytes_sent", "bytes that went to each server"),
    variable("upstream_cache_etag", "nothing: answers are not cached"),
    variable("upstream_cache_last_modified", "nothing: answers are not cached"),
    variable("upstream_cache_status", "nothing: answers are not cached"),
    variable("upstream_connect_time", "seconds to connect to each server"),
    variable("upstream_cookie_", "the cookie of that name that the last server sets"),
    variable("upstream_header_time", "seconds to the head of each server's answer"),
    variable("upstream_http_", "the header of that name of the last server's answer"),
    variable("upstream_response_length", "bytes of the body of each server's answer"),
    variable("upstream_response_time", "seconds to the end of each server's answer"),
    variable("upstream_status", "the status of each server's answer"),
    variable("upstream_trailer_", "what follows the body of the last server's answer, by name"),
    variable("uri", "the path of the request, decoded and normalised"),
];

/// nginx's other variables.
const NOT_YET: &[&str] = &[
    "ancient_browser",
    "geoip_",
    "invalid_referer",
    "jwt_",
    "memcached_key",
    "modern_browser",
    "modern_browser_value",
    "msie",
    "secure_link",
    "secure_link_expires",
    "slice_range",
    "ssl_",
    "trailer_",
    "uid_got",
    "uid_reset",
    "uid_set",
    "upstream_first_byte_time",
    "upstream_last_server_name",
    "upstream_queue_time",
    "upstream_session_time",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_prefixes_are_known() {
        let table = [
            ("host", Known::Served),
            ("cookie_JSESSIONID", Known::Served),
            ("http_x_forwarded_proto", Known::Served),
            ("cookie_", Known::Unknown),
            ("ssl_protocol", Known::Served),
            ("ssl_client_s_dn", Known::Served),
            ("upstream_http_x", Known::Served),
            ("hots", Known::Unknown),
            ("", Known::Unknown),
        ];
        for (name, expected) in table {
            assert_eq!(known(name), expected, "{name}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_explained() {
        assert!(VARIABLES.is_sorted_by(|a, b| a.name < b.name));
        assert!(NOT_YET.is_sorted());
        assert!(VARIABLES.iter().all(|v| !v.doc.is_empty()));
    }
}
