//! A name's addresses asked for: of each name server in turn, over UDP, and over TCP where an answer is too long.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message::{Kind, Read, question, read};
use super::{Answer, Failure, Settings};

/// How long a name server has before the next one is asked; nginx waits 5 s.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer over UDP to a question that allows for no more (RFC 1035 4.2.1).
const DATAGRAM: usize = 512;
/// Answers of which none was to our question, after which a name server counts as silent.
const FOREIGN_MAX: usize = 64;
/// An answer holds a second at least: one that holds no time at all would be asked for with each request.
const LEAST_TTL_S: u32 = 1;

/// Which name server is asked first.
static TURN: AtomicUsize = AtomicUsize::new(0);

/// The addresses of a name.
pub(super) async fn lookup(settings: &Settings, host: &str) -> Result<Answer, Failure> {
    let all = async {
        let of = |kind, is_wanted| async move {
            if is_wanted { of_kind(settings, host, kind).await } else { Ok((Vec::new(), u32::MAX)) }
        };
        tokio::join!(of(Kind::V4, settings.ipv4), of(Kind::V6, settings.ipv6))
    };
    let patience = Duration::from_millis(if settings.timeout_ms == 0 { u64::MAX } else { settings.timeout_ms });
    let (v4, v6) = timeout(patience, all).await.map_err(|_| Failure::TimedOut)?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    let (mut ttl_s, mut failed) = (u32::MAX, None);
    for of_kind in [v4, v6] {
        match of_kind {
            Ok((found, ttl)) if !found.is_empty() => {
                addresses.extend(found);
                ttl_s = ttl_s.min(ttl);
            }
            Ok(_) => {}
            Err(failure) => failed = Some(failure),
        }
    }
    if addresses.is_empty() {
        return Err(failed.unwrap_or(Failure::NotFound));
    }
    let valid_ms = settings.valid_ms.filter(|ms| *ms > 0).unwrap_or_else(|| u64::from(ttl_s.max(LEAST_TTL_S)) * 1000);
    Ok(Answer { addresses, valid_ms })
}

/// Asks one name server after the other until one knows, round and round.
async fn of_kind(settings: &Settings, host: &str, kind: Kind) -> Result<(Vec<IpAddr>, u32), Failure> {
    let first = TURN.fetch_add(1, Relaxed);
    let mut failed = 0;
    for turn in 0.. {
        let server = settings.servers[(first.wrapping_add(turn)) % settings.servers.len()];
        match timeout(PATIENCE, ask(server, host, kind)).await {
            Ok(Ok(Read::Addresses(addresses, ttl))) => return Ok((addresses, ttl)),
            Ok(Ok(Read::Failed(failure @ (Failure::NotFound | Failure::Format)))) => return Err(failure),
            // One that cannot be reached, or refuses, may be well in a moment; but not for ever.
            Ok(Ok(Read::Failed(_) | Read::Foreign | Read::Truncated) | Err(_)) => {
                failed += 1;
                if failed >= 2 * settings.servers.len() {
                    return Err(Failure::Server);
                }
                tokio::time::sleep(PATIENCE / 20).await;
            }
            Err(_) => {}
        }
    }
    Err(Failure::TimedOut)
}

async fn ask(server: SocketAddr, host: &str, kind: Kind) -> io::Result<Read> {
    let id = random_id();
    let asked = match question(id, host, kind) {
        Ok(asked) => asked,
        Err(failure) => return Ok(Read::Failed(failure)),
    };
    match over_udp(server, &asked, id, host, kind).await? {
        Read::Truncated => over_tcp(server, &asked, id, host, kind).await,
        read => Ok(read),
    }
}

async fn over_udp(server: SocketAddr, asked: &[u8], id: u16, host: &str, kind: Kind) -> io::Result<Read> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // A port of its own for each question: who wants to answer in the server's place has to guess it, and the id.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(asked).await?;
    let mut bytes = [0; 2 * DATAGRAM];
    for _ in 0..FOREIGN_MAX {
        let length = socket.recv(&mut bytes).await?;
        match read(&bytes[..length], id, host, kind) {
            Read::Foreign => {}
            read => return Ok(read),
        }
    }
    Ok(Read::Foreign)
}

async fn over_tcp(server: SocketAddr, asked: &[u8], id: u16, host: &str, kind: Kind) -> io::Result<Read> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(asked.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), asked].concat()).await?;
    let mut bytes = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(read(&bytes, id, host, kind))
}

/// An id that nobody can guess; the kernel's randomness fails only while the system starts.
fn random_id() -> u16 {
    let mut bytes = [0; 2];
    let _ = getrandom(&mut bytes[..], GetRandomFlags::empty());
    u16::from_ne_bytes(bytes)
}
