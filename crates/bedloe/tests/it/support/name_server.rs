//! A name server on loopback whose answers a test changes.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, QTYPE, RCODE, ResourceRecord, TYPE};

/// Seconds that its answers hold.
const TTL_S: u32 = 1;

type Names = Arc<Mutex<HashMap<String, Vec<Ipv4Addr>>>>;

/// A name server; it ends with the test's process.
pub(crate) struct NameServer {
    address: SocketAddr,
    names: Names,
}

impl NameServer {
    /// One that knows no name yet.
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = socket.local_addr().expect("an address");
        let names = Names::default();
        let known = Arc::clone(&names);
        std::thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                if let Some(answer) = answer(&bytes[..length], &known) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, names }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives a name these addresses; with none there is no such name.
    pub(crate) fn set(&self, name: &str, addresses: &[Ipv4Addr]) {
        self.names.lock().expect("no panic").insert(name.to_owned(), addresses.to_vec());
    }
}

fn answer(asked: &[u8], names: &Names) -> Option<Vec<u8>> {
    let asked = Packet::parse(asked).ok()?;
    let question = asked.questions.first()?;
    let mut reply = Packet::new_reply(asked.id());
    reply.questions.push(question.clone());
    let names = names.lock().ok()?;
    match names.get(&question.qname.to_string()).filter(|addresses| !addresses.is_empty()) {
        None => *reply.rcode_mut() = RCODE::NameError,
        Some(_) if question.qtype != QTYPE::TYPE(TYPE::A) => {}
        Some(addresses) => reply.answers.extend(addresses.iter().map(|address| {
            let data = RData::A(A { address: (*address).into() });
            ResourceRecord::new(question.qname.clone(), CLASS::IN, TTL_S, data)
        })),
    }
    reply.build_bytes_vec().ok()
}
