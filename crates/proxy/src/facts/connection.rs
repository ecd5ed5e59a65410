//! Facts about the client's connection.

use std::sync::Arc;

use net::clock;
use net::socket::{Probe, TcpInfo};
use route::Fact;
use wire::Version;

use super::{RequestFacts, append, put, seconds, without_port};
use crate::client::UNIX;
use crate::counters::ThreadCounters;
use crate::proxy_protocol::{Told, Value};

impl RequestFacts<'_> {
    pub(super) fn of_connection(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        match fact {
            Fact::RemoteAddr => return append(self.client.remote_text(), out),
            Fact::BinaryRemoteAddr if self.client.is_unix() => out.extend_from_slice(UNIX),
            Fact::BinaryRemoteAddr => match self.client.remote.ip() {
                std::net::IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
                std::net::IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
            },
            // One that a proxy has named may have none.
            Fact::RemotePort if self.client.remote.port() == 0 => {}
            Fact::RemotePort => put(out, format_args!("{}", self.client.remote.port())),
            Fact::RealipRemoteAddr => self.client.append_connected_from(out),
            Fact::RealipRemotePort if self.client.connected_from().port() == 0 => {}
            Fact::RealipRemotePort => put(out, format_args!("{}", self.client.connected_from().port())),
            Fact::ServerAddr => self.client.append_local(out),
            Fact::ServerPort if self.client.local.port() == 0 => {}
            Fact::ServerPort => put(out, format_args!("{}", self.client.local.port())),
            Fact::Scheme => return append(self.client.scheme().as_bytes(), out),
            // Empty, and not missing, where they say no.
            Fact::Http2 => match self.request.version {
                Version::Http2 if self.client.is_tls => out.extend_from_slice(b"h2"),
                Version::Http2 => out.extend_from_slice(b"h2c"),
                _ => {}
            },
            Fact::Https => out.extend_from_slice(if self.client.is_tls { b"on" } else { b"" }),
            Fact::Connection => put(out, format_args!("{}", self.client.number)),
            Fact::ConnectionRequests => put(out, format_args!("{}", self.client.requests)),
            Fact::ConnectionTime => seconds(out, Some(clock::coarse_ms()), self.client.since_ms),
            Fact::Pipe => out.push(if self.record.is_pipelined { b'p' } else { b'.' }),
            _ => return self.of_transport(fact, out),
        }
        true
    }

    /// What TLS, a proxy and the kernel know of it.
    fn of_transport(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        match fact {
            Fact::ProxyProtocolAddr
            | Fact::ProxyProtocolPort
            | Fact::ProxyProtocolServerAddr
            | Fact::ProxyProtocolServerPort
            | Fact::ProxyProtocolTlv(_) => {
                return self.client.told.as_ref().is_some_and(|told| of_proxy(told, fact, out));
            }
            Fact::ConnectionsActive
            | Fact::ConnectionsReading
            | Fact::ConnectionsWriting
            | Fact::ConnectionsWaiting => put(out, format_args!("{}", of_all(&self.thread.all, fact))),
            Fact::TcpinfoRtt | Fact::TcpinfoRttvar | Fact::TcpinfoSndCwnd | Fact::TcpinfoRcvSpace => {
                let Some(known) = self.client.probe.as_ref().and_then(Probe::tcp_info) else { return false };
                put(out, format_args!("{}", of_kernel(&known, fact)));
            }
            Fact::RequestPort | Fact::IsRequestPort => {
                let host = self.request.host.map_or(&b""[..], |host| host.of(self.head));
                let port = host[without_port(host).len()..].strip_prefix(b":").unwrap_or_default();
                out.extend_from_slice(match fact {
                    Fact::RequestPort => port,
                    _ if port.is_empty() => b"",
                    _ => b":",
                });
            }
            Fact::Http3 => {}
            Fact::SslProtocol
            | Fact::SslCipher
            | Fact::SslCiphers
            | Fact::SslCurves
            | Fact::SslCurve
            | Fact::SslAlpnProtocol
            | Fact::SslClientCert
            | Fact::SslClientEscapedCert
            | Fact::SslClientFingerprint
            | Fact::SslClientIDn
            | Fact::SslClientIDnLegacy
            | Fact::SslClientRawCert
            | Fact::SslClientSDn
            | Fact::SslClientSDnLegacy
            | Fact::SslClientSerial
            | Fact::SslClientVEnd
            | Fact::SslClientVRemain
            | Fact::SslClientVStart
            | Fact::SslClientVerify
            | Fact::SslServerName
            | Fact::SslSessionReused
            | Fact::SslEarlyData => return self.client.tls.as_ref().is_some_and(|tls| tls.append(fact, out)),
            _ => return self.of_answer(fact, out),
        }
        true
    }
}

/// What a proxy has said of the connection.
fn of_proxy(told: &Told, fact: &Fact, out: &mut Vec<u8>) -> bool {
    match fact {
        Fact::ProxyProtocolAddr => out.extend_from_slice(told.source.text.as_bytes()),
        Fact::ProxyProtocolPort => put(out, format_args!("{}", told.source.port)),
        Fact::ProxyProtocolServerAddr => out.extend_from_slice(told.destination.text.as_bytes()),
        Fact::ProxyProtocolServerPort => put(out, format_args!("{}", told.destination.port)),
        Fact::ProxyProtocolTlv(name) => match told.value(name) {
            Some(Value::Bytes(bytes)) => out.extend_from_slice(bytes),
            Some(Value::Number(number)) => put(out, format_args!("{number}")),
            None => return false,
        },
        _ => return false,
    }
    true
}

/// A count over all threads.
fn of_all(threads: &[Arc<ThreadCounters>], fact: &Fact) -> u64 {
    let sum = |of: fn(&ThreadCounters) -> u64| threads.iter().map(|thread| of(thread)).fold(0, u64::wrapping_add);
    let active = || sum(|thread| thread.active.get());
    let reading = || sum(|thread| thread.reading.get());
    let writing = || sum(|thread| thread.writing.get());
    match fact {
        Fact::ConnectionsActive => active(),
        Fact::ConnectionsReading => reading(),
        Fact::ConnectionsWriting => writing(),
        // The threads count on meanwhile.
        _ => (active() + sum(|thread| thread.shared.get())).saturating_sub(reading() + writing()),
    }
}

fn of_kernel(known: &TcpInfo, fact: &Fact) -> u32 {
    match fact {
        Fact::TcpinfoRtt => known.rtt_us,
        Fact::TcpinfoRttvar => known.rttvar_us,
        Fact::TcpinfoSndCwnd => known.snd_cwnd,
        _ => known.rcv_space,
    }
}
