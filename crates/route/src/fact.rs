//! What a request's variables ask for: one fact a variable of nginx's. Values are the caller's business.

use crate::files::Standing;

/// Supplies the values of variables for one request.
pub trait Facts {
    /// Appends the value; false, with nothing appended, when there is none.
    fn append(&self, fact: &Fact, out: &mut Vec<u8>) -> bool;

    /// Where the request is among files, once its server is known.
    fn standing(&self) -> Option<Standing<'_>> {
        None
    }

    /// Appends a path of the file system with all links followed; false, with nothing appended, where it leads nowhere.
    fn append_real_path(&self, _path: &[u8], _out: &mut Vec<u8>) -> bool {
        false
    }
}

macro_rules! facts {
    ($($(#[doc = $doc:literal])* $variant:ident = $($name:literal)|+;)+) => {
        /// What a variable stands for. Names with two spellings (`$args`, `$query_string`) are one fact.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Fact {
            $($(#[doc = $doc])* $variant,)+
            /// `$http_NAME`: a field of the request, the name in lower case with hyphens.
            HttpField(String),
            /// `$cookie_NAME`, compared without regard to case ([`crate::cookie`]).
            Cookie(String),
            /// `$arg_NAME`, compared without regard to case ([`crate::argument`]).
            Arg(String),
            /// `$proxy_protocol_tlv_NAME`: what a proxy adds by the PROXY protocol.
            ProxyProtocolTlv(String),
            /// `$sent_http_NAME`: a field of the answer, the name as above.
            SentField(String),
            /// `$sent_trailer_NAME`.
            SentTrailer(String),
            /// `$upstream_http_NAME`: a field of the last upstream server's answer.
            UpstreamField(String),
            /// `$upstream_cookie_NAME`: a cookie that it sets.
            UpstreamCookie(String),
            /// `$upstream_trailer_NAME`.
            UpstreamTrailer(String),
        }

        fn plain(name: &str) -> Option<Fact> {
            match name { $($($name)|+ => Some(Fact::$variant),)+ _ => None }
        }

        #[cfg(test)]
        const PLAIN_NAMES: &[&str] = &[$($($name,)+)+];
    };
}

facts! {
    /// The host of the request line or the Host field, without port, lower case; else the server's name.
    Host = "host";
    /// The request target as it came, arguments included.
    RequestUri = "request_uri";
    /// The normalized path.
    Uri = "uri" | "document_uri";
    /// The arguments, without `?`.
    Args = "args" | "query_string";
    /// `?` when there are arguments.
    IsArgs = "is_args";
    /// `http` or `https`.
    Scheme = "scheme";
    /// `on` over TLS.
    Https = "https";
    /// The client's address.
    RemoteAddr = "remote_addr";
    /// The client's address in 4 or 16 bytes.
    BinaryRemoteAddr = "binary_remote_addr";
    /// The client's port.
    RemotePort = "remote_port";
    /// By the PROXY protocol: the client's address.
    ProxyProtocolAddr = "proxy_protocol_addr";
    /// Its port.
    ProxyProtocolPort = "proxy_protocol_port";
    /// The address that the client connected to.
    ProxyProtocolServerAddr = "proxy_protocol_server_addr";
    /// Its port.
    ProxyProtocolServerPort = "proxy_protocol_server_port";
    /// The user of basic authentication.
    RemoteUser = "remote_user";
    /// The address the client connected to.
    ServerAddr = "server_addr";
    /// The port the client connected to.
    ServerPort = "server_port";
    /// The first name of the server that serves the request.
    ServerName = "server_name";
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.
    ServerProtocol = "server_protocol";
    /// The request line.
    Request = "request";
    /// The method.
    Method = "request_method";
    /// 32 hexadecimal digits, the same for the whole request.
    RequestId = "request_id";
    /// Bytes of the request: line, head and body.
    RequestLength = "request_length";
    /// Seconds since the request's first byte, with milliseconds.
    RequestTime = "request_time";
    /// The status of the answer.
    Status = "status";
    /// Bytes of the answer's body sent.
    BodyBytesSent = "body_bytes_sent";
    /// Bytes of the answer sent.
    BytesSent = "bytes_sent";
    /// Local time in the log's format.
    TimeLocal = "time_local";
    /// Local time by ISO 8601.
    TimeIso8601 = "time_iso8601";
    /// Seconds since 1970 with milliseconds.
    Msec = "msec";
    /// The connection's number.
    Connection = "connection";
    /// Requests made over this connection so far.
    ConnectionRequests = "connection_requests";
    /// Seconds since the connection was made, with milliseconds.
    ConnectionTime = "connection_time";
    /// Clients' connections.
    ConnectionsActive = "connections_active";
    /// Those of them whose request's head is being read.
    ConnectionsReading = "connections_reading";
    /// Requests that are being answered.
    ConnectionsWriting = "connections_writing";
    /// Clients' connections that are idle.
    ConnectionsWaiting = "connections_waiting";
    /// Of the TCP connection, in microseconds: the time to the client and back.
    TcpinfoRtt = "tcpinfo_rtt";
    /// How much it varies.
    TcpinfoRttvar = "tcpinfo_rttvar";
    /// The congestion window.
    TcpinfoSndCwnd = "tcpinfo_snd_cwnd";
    /// Room for what comes.
    TcpinfoRcvSpace = "tcpinfo_rcv_space";
    /// The port that is asked for.
    RequestPort = "request_port";
    /// `:` where there is one.
    IsRequestPort = "is_request_port";
    /// The time as pages write it, local.
    DateLocal = "date_local";
    /// The same by the clock of Greenwich.
    DateGmt = "date_gmt";
    /// Never anything: HTTP/3 is not spoken.
    Http3 = "http3";
    /// `p` for a request that did not wait for the answer to the one before it.
    Pipe = "pipe";
    /// `OK` once the answer is out whole.
    RequestCompletion = "request_completion";
    /// The address that the connection comes from, whatever a proxy has said.
    RealipRemoteAddr = "realip_remote_addr";
    /// Its port.
    RealipRemotePort = "realip_remote_port";
    /// What `limit_req` came to.
    LimitReqStatus = "limit_req_status";
    /// What `limit_conn` came to.
    LimitConnStatus = "limit_conn_status";
    /// How many times smaller an answer was made by gzip.
    GzipRatio = "gzip_ratio";
    /// Bytes a second, as `set` says.
    LimitRate = "limit_rate";
    /// The request's body, where it is in memory.
    RequestBody = "request_body";
    /// Never anything: files of bodies have no names.
    RequestBodyFile = "request_body_file";
    /// The machine's name.
    Hostname = "hostname";
    /// nginx's version that bedloe stands for.
    NginxVersion = "nginx_version";
    /// The process.
    Pid = "pid";
    /// The authority of `proxy_pass`.
    ProxyHost = "proxy_host";
    /// The port of `proxy_pass`.
    ProxyPort = "proxy_port";
    /// The client's X-Forwarded-For with its address added.
    ProxyAddXForwardedFor = "proxy_add_x_forwarded_for";
    /// The request's Content-Length.
    ContentLength = "content_length";
    /// The request's Content-Type.
    ContentType = "content_type";
    /// Addresses of the upstream servers tried.
    UpstreamAddr = "upstream_addr";
    /// Their statuses.
    UpstreamStatus = "upstream_status";
    /// Their times to the end of the answer.
    UpstreamResponseTime = "upstream_response_time";
    /// Bytes that came from them.
    UpstreamBytesReceived = "upstream_bytes_received";
    /// Bytes that went to them.
    UpstreamBytesSent = "upstream_bytes_sent";
    /// Bytes of their answers' bodies.
    UpstreamResponseLength = "upstream_response_length";
    /// Never anything: nothing is cached.
    UpstreamCache = "upstream_cache_status" | "upstream_cache_etag" | "upstream_cache_last_modified";
    /// Their times to connect.
    UpstreamConnectTime = "upstream_connect_time";
    /// Their times to the head of the answer.
    UpstreamHeaderTime = "upstream_header_time";
    /// `h2` over HTTP/2.
    Http2 = "http2";
    /// Of the client's certificate: the client's certificate as PEM, with a tab before each line but the first.
    SslClientCert = "ssl_client_cert";
    /// Of the client's certificate: the client's certificate as PEM, escaped for a URL.
    SslClientEscapedCert = "ssl_client_escaped_cert";
    /// Of the client's certificate: SHA-1 of the client's certificate.
    SslClientFingerprint = "ssl_client_fingerprint";
    /// Of the client's certificate: the issuer of the client's certificate, by RFC 2253.
    SslClientIDn = "ssl_client_i_dn";
    /// Of the client's certificate: the same in the form of old.
    SslClientIDnLegacy = "ssl_client_i_dn_legacy";
    /// Of the client's certificate: the client's certificate as PEM.
    SslClientRawCert = "ssl_client_raw_cert";
    /// Of the client's certificate: the subject of the client's certificate, by RFC 2253.
    SslClientSDn = "ssl_client_s_dn";
    /// Of the client's certificate: the same in the form of old.
    SslClientSDnLegacy = "ssl_client_s_dn_legacy";
    /// Of the client's certificate: the serial number of the client's certificate.
    SslClientSerial = "ssl_client_serial";
    /// Of the client's certificate: when the client's certificate ends to hold.
    SslClientVEnd = "ssl_client_v_end";
    /// Of the client's certificate: for how many days it holds.
    SslClientVRemain = "ssl_client_v_remain";
    /// Of the client's certificate: when it begins to hold.
    SslClientVStart = "ssl_client_v_start";
    /// Of the client's certificate: SUCCESS, NONE without a certificate, or FAILED:REASON.
    SslClientVerify = "ssl_client_verify";
    /// The TLS protocol.
    SslProtocol = "ssl_protocol";
    /// The TLS cipher.
    SslCipher = "ssl_cipher";
    /// The cipher suites that the client has offered.
    SslCiphers = "ssl_ciphers";
    /// The groups that it has offered.
    SslCurves = "ssl_curves";
    /// The group of the key exchange.
    SslCurve = "ssl_curve";
    /// The protocol agreed on by ALPN.
    SslAlpnProtocol = "ssl_alpn_protocol";
    /// `r` for a session that was resumed.
    SslSessionReused = "ssl_session_reused";
    /// Never anything: early data is not taken.
    SslEarlyData = "ssl_early_data";
    /// The name asked for by SNI.
    SslServerName = "ssl_server_name";
    /// The folder of `root`, or what an alias says; made by a text, not by [`Facts`].
    DocumentRoot = "document_root";
    /// The same with links followed.
    RealpathRoot = "realpath_root";
    /// The path of the file that is asked for.
    RequestFilename = "request_filename";
}

impl Fact {
    /// The fact behind a variable's name (without `$`); `None` for a name that is no variable of nginx's served here.
    pub fn parse(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        plain(&lower).or_else(|| named(&lower))
    }

    /// Whether its value can hold neither a line's end nor NUL: it is made here, or stands in the request's head, which
    /// is refused with such bytes. Arguments may have been made anew by rules.
    pub(crate) fn is_one_line(&self) -> bool {
        matches!(
            self,
            Self::Host
                | Self::RequestUri
                | Self::Scheme
                | Self::Https
                | Self::RemoteAddr
                | Self::RemotePort
                | Self::ServerAddr
                | Self::ServerPort
                | Self::ServerProtocol
                | Self::Method
                | Self::RequestId
                | Self::Connection
                | Self::ProxyAddXForwardedFor
                | Self::HttpField(_)
                | Self::Cookie(_)
        )
    }
}

fn named(name: &str) -> Option<Fact> {
    let rest_of = |family: &str| name.strip_prefix(family).filter(|rest| !rest.is_empty());
    rest_of("cookie_")
        .map(|rest| Fact::Cookie(rest.to_owned()))
        .or_else(|| rest_of("proxy_protocol_tlv_").map(|rest| Fact::ProxyProtocolTlv(rest.to_owned())))
        .or_else(|| rest_of("arg_").map(|rest| Fact::Arg(rest.to_owned())))
        .or_else(|| rest_of("http_").map(|rest| Fact::HttpField(rest.replace('_', "-"))))
        .or_else(|| rest_of("sent_http_").map(|rest| Fact::SentField(rest.replace('_', "-"))))
        .or_else(|| rest_of("sent_trailer_").map(|rest| Fact::SentTrailer(rest.replace('_', "-"))))
        .or_else(|| rest_of("upstream_http_").map(|rest| Fact::UpstreamField(rest.replace('_', "-"))))
        .or_else(|| rest_of("upstream_cookie_").map(|rest| Fact::UpstreamCookie(rest.to_owned())))
        .or_else(|| rest_of("upstream_trailer_").map(|rest| Fact::UpstreamTrailer(rest.replace('_', "-"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_facts_without_regard_to_case() {
        let table = [
            ("host", Some(Fact::Host)),
            ("HOST", Some(Fact::Host)),
            ("query_string", Some(Fact::Args)),
            ("http2", Some(Fact::Http2)),
            ("http_x_forwarded_proto", Some(Fact::HttpField("x-forwarded-proto".into()))),
            ("cookie_JSESSIONID", Some(Fact::Cookie("jsessionid".into()))),
            ("arg_a_b", Some(Fact::Arg("a_b".into()))),
            ("sent_http_content_type", Some(Fact::SentField("content-type".into()))),
            ("upstream_http_x", Some(Fact::UpstreamField("x".into()))),
            ("http_", None),
            ("nothing", None),
        ];
        for (name, fact) in table {
            assert_eq!(Fact::parse(name), fact, "{name}");
        }
    }

    #[test]
    fn facts_are_the_variables_that_a_configuration_may_name() {
        let accepted = |name: &str| conf::variables().iter().any(|variable| variable.name == name);
        for name in PLAIN_NAMES {
            assert!(accepted(name), "{name} is a fact, but conf refuses it");
        }
        for variable in conf::variables() {
            let name =
                if variable.name.ends_with('_') { format!("{}x", variable.name) } else { variable.name.to_owned() };
            assert!(Fact::parse(&name).is_some(), "conf accepts {name}, but it is no fact");
        }
    }
}
