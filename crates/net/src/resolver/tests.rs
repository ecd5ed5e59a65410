//! The resolver beside a name server that does as it is told.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

use super::*;

/// A name server on UDP and TCP of one port; it ends with the test's process.
struct NameServer {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

/// Sockets of both kinds on one port; another program may have the TCP port that belongs to a free UDP port.
fn one_port() -> std::io::Result<(UdpSocket, TcpListener)> {
    let udp = UdpSocket::bind("127.0.0.1:0")?;
    let tcp = TcpListener::bind(udp.local_addr()?)?;
    Ok((udp, tcp))
}

impl NameServer {
    fn start() -> Self {
        let (udp, tcp) = std::iter::repeat_with(one_port).find_map(Result::ok).unwrap();
        let address = udp.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut bytes) {
                count.fetch_add(1, SeqCst);
                let Some(answer) = answer(&bytes[..length], false) else { continue };
                // A stranger's answer comes first.
                let mut foreign = answer.clone();
                foreign[0] ^= 0xff;
                udp.send_to(&foreign, from).unwrap();
                udp.send_to(&answer, from).unwrap();
            }
        });
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = tcp.accept() {
                let mut length = [0; 2];
                stream.read_exact(&mut length).unwrap();
                let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut bytes).unwrap();
                let answer = answer(&bytes, true).unwrap();
                stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes()).unwrap();
                stream.write_all(&answer).unwrap();
            }
        });
        Self { address, asked }
    }

    fn settings(&self) -> Settings {
        Settings { servers: vec![self.address], valid_ms: None, ipv4: true, ipv6: true, timeout_ms: 20_000 }
    }
}

/// What is known of the names of these tests.
fn answer(asked: &[u8], is_tcp: bool) -> Option<Vec<u8>> {
    let question = Packet::parse(asked).unwrap();
    let mut reply = Packet::new_reply(question.id());
    let name = question.questions[0].qname.to_string();
    let is_v6 = question.questions[0].qtype == QTYPE::TYPE(TYPE::AAAA);
    reply.questions.clone_from(&question.questions);
    let owner = Name::new(&name).unwrap();
    let mut add = |owner: &Name<'static>, ttl, data| {
        reply.answers.push(ResourceRecord::new(owner.clone(), CLASS::IN, ttl, data));
    };
    let owner = owner.into_owned();
    let v4 = |last| RData::A(A { address: Ipv4Addr::new(127, 0, 0, last).into() });
    match name.as_str() {
        "both.test" if is_v6 => add(&owner, 7, RData::AAAA(AAAA { address: Ipv6Addr::LOCALHOST.into() })),
        "both.test" => add(&owner, 9, v4(1)),
        "alias.test" if !is_v6 => {
            let real = Name::new("real.test").unwrap().into_owned();
            add(&owner, 3, RData::CNAME(CNAME(real.clone())));
            add(&real, 60, v4(2));
            add(&real, 60, v4(3));
        }
        "long.test" if !is_v6 && !is_tcp => reply.set_flags(PacketFlag::TRUNCATION),
        "long.test" if !is_v6 => (1..=60).for_each(|last| add(&owner, 0, v4(last))),
        "silent.test" => return None,
        "refused.test" => *reply.rcode_mut() = RCODE::Refused,
        "nowhere.test" => *reply.rcode_mut() = RCODE::NameError,
        _ => {}
    }
    Some(reply.build_bytes_vec().unwrap())
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

#[test]
fn names_have_addresses_for_a_time() {
    let server = NameServer::start();
    let resolver = Resolver::start().unwrap();
    let ask = |settings: Settings, host: &str| run(resolver.lookup(&Arc::new(settings), host));
    let v4 = |last: u8| IpAddr::from([127, 0, 0, last]);
    let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    let all = server.settings();
    assert_eq!(ask(all.clone(), "Both.Test"), Ok(Answer { addresses: vec![v4(1), v6], valid_ms: 7_000 }));
    let only_v4 = Settings { ipv6: false, ..all.clone() };
    assert_eq!(ask(only_v4, "both.test"), Ok(Answer { addresses: vec![v4(1)], valid_ms: 9_000 }));
    let valid = Settings { valid_ms: Some(50), ipv4: false, ..all.clone() };
    assert_eq!(ask(valid, "both.test."), Ok(Answer { addresses: vec![v6], valid_ms: 50 }));
    assert_eq!(ask(all.clone(), "alias.test"), Ok(Answer { addresses: vec![v4(2), v4(3)], valid_ms: 3_000 }));
    let long = ask(all.clone(), "long.test").unwrap();
    assert_eq!((long.addresses.len(), long.valid_ms), (60, 1_000));
    assert_eq!(ask(all.clone(), "nowhere.test"), Err(Failure::NotFound));
    assert_eq!(ask(all.clone(), "none.test"), Err(Failure::NotFound));
    assert_eq!(ask(all.clone(), "refused.test"), Err(Failure::Server));
    assert_eq!(ask(all.clone(), "a..b"), Err(Failure::Format));
    assert_eq!(ask(Settings { timeout_ms: 100, ..all }, "silent.test"), Err(Failure::TimedOut));
}

/// Whatever comes is read without a panic, and what was not asked for is nobody's answer.
#[test]
fn mutated_answers_are_read_or_not() {
    use super::message::{Kind, Read, question, read};
    let mut seed = 7_u64;
    let mut below = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % limit
    };
    for round in 0..20_000 {
        let (host, kind) = [("alias.test", Kind::V4), ("both.test", Kind::V6), ("long.test", Kind::V4)][round % 3];
        let mut bytes = answer(&question(9, host, kind).unwrap(), true).unwrap();
        assert!(matches!(read(&bytes, 9, host, kind), Read::Addresses(found, _) if !found.is_empty()));
        assert_eq!(read(&bytes, 8, host, kind), Read::Foreign);
        assert_eq!(read(&bytes, 9, "other.test", kind), Read::Foreign);
        for _ in 0..=below(4) {
            let at = below(bytes.len());
            bytes[at] = [0, 0xff, 0xc0, below(256) as u8][below(4)];
        }
        bytes.truncate(bytes.len() - below(2) * below(bytes.len()));
        let _ = read(&bytes, 9, host, kind);
    }
}

#[test]
fn a_name_server_that_is_not_there_is_passed_over() {
    let server = NameServer::start();
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = Settings { servers: vec![gone, server.address, gone], ..server.settings() };
    for _ in 0..3 {
        assert!(run(exchange::lookup(&settings, "both.test")).is_ok());
    }
}

#[test]
fn questions_for_the_same_name_are_asked_once() {
    let server = NameServer::start();
    let resolver = Resolver::start().unwrap();
    let settings = Arc::new(Settings { ipv6: false, timeout_ms: 100, ..server.settings() });
    run(async {
        let ask = || resolver.lookup(&settings, "silent.test");
        let (one, two, three) = tokio::join!(ask(), ask(), ask());
        assert!([one, two, three].iter().all(|answer| *answer == Err(Failure::TimedOut)));
    });
    assert_eq!(server.asked.load(SeqCst), 1);
}
