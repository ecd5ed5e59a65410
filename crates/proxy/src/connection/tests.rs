//! What an idle connection costs: the size of the future that serves it.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use super::*;
use crate::control::Control;
use crate::counters::ThreadCounters;
use crate::events::Events;
use crate::log::LogWriter;
use crate::site::Site;
use crate::snapshot::Snapshot;
use crate::worker::Shared;

/// A task is allocated once a connection and kept while it is idle: what it takes is what an idle connection costs,
/// beside the socket.
const FUTURE_BYTES: usize = 1536;

/// The configuration of the test.
struct Text;

impl conf::Loader for Text {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(b"events {} http { server { listen 127.0.0.1:8080; return 204; } }".to_vec())
    }

    fn glob(&self, _: &Path) -> io::Result<Vec<std::path::PathBuf>> {
        Ok(Vec::new())
    }

    fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<std::net::SocketAddr>> {
        Ok(Vec::new())
    }
}

#[test]
fn the_future_of_a_connection_is_small() {
    net::event_loop::block_on(async {
        let loaded = conf::load(Path::new("nginx.conf"), &Text, &conf::Options::default());
        let config = loaded.config.unwrap();
        let snapshot = Snapshot::build(&config, 1, &mut |_: &Path| unreachable!("no file is named")).unwrap();
        let snapshot = Arc::new(snapshot);
        let site = Rc::new(Site::new(Arc::clone(&snapshot), 0));
        let logs = LogWriter::start(Vec::new()).unwrap().logs();
        let counters: Arc<[_]> = Arc::from([Arc::new(ThreadCounters::default())]);
        let shared = Arc::new(Shared::new(snapshot, Arc::clone(&counters), Arc::new(crate::pages::NoPages)));
        let control = Control::new(&shared, &Weak::new());
        let thread = Rc::new(Thread::new(0, Rc::clone(&site), logs, counters, (Events::new(), control)));
        let listener = net::listen::open("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let at = listener.local_addr().unwrap();
        let tcp = net::dial::dial(at).await.unwrap();
        let open = Open::new(Rc::clone(&thread));
        let connection = Connection::new(thread, Stream::plain(tcp), Client::new(1, at, at, (site, 0), false));
        let size = std::mem::size_of_val(&connection.run(open));
        assert!(size <= FUTURE_BYTES, "{size} bytes");
    })
    .unwrap();
}
