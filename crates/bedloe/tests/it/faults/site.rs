//! The architecture for the faults: three stand-ins that write down orders, and the balancer as a process of its own.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::processes::{Process, Recipe};
use lab::watch::WatchError;
use lab::{Options, Plan};
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How long a server may take to serve again.
const PATIENCE: Duration = Duration::from_secs(20);
/// What every answer takes, so that each kill meets requests on their way.
const DELAY: &str = "20ms";
/// How often the balancer's state is asked for.
const LOOK: Duration = Duration::from_millis(20);

pub(super) struct Site {
    plan: Plan,
    servers: Vec<Process>,
    balancer: Process,
    tls: Arc<ClientConfig>,
    /// Removed when the site is.
    _home: TempDir,
}

impl Site {
    /// Starts all of it at addresses of its own.
    pub(super) async fn start(number: u8) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let plan = plan(&home, number);
        lab::preflight::check(&plan).expect("free addresses");
        let tls = write(&plan);
        let mut servers: Vec<Process> = (0..plan.servers.len()).map(|index| start(stand_in(&plan, index))).collect();
        for server in &mut servers {
            server.ready().await.expect("a server");
        }
        let mut balancer = start(balancer(&plan));
        balancer.ready().await.expect("the balancer");
        Self { plan, servers, balancer, tls, _home: home }
    }

    pub(super) fn https(&self) -> SocketAddr {
        self.plan.https
    }

    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        self.tls.clone()
    }

    pub(super) fn kill(&mut self, index: usize) {
        self.servers[index].kill().expect("it runs");
    }

    /// Starts a server again and waits until the balancer has sent it requests.
    pub(super) async fn restart(&mut self, index: usize) {
        let before = self.answered(index).await;
        let server = &mut self.servers[index];
        server.restart().await.expect("it starts");
        server.ready().await.expect("it listens");
        let end = Instant::now() + PATIENCE;
        while self.answered(index).await <= before {
            assert!(Instant::now() < end, "the server gets no requests after its return");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How often each order was carried out, by all servers.
    pub(super) fn orders(&self) -> HashMap<String, u32> {
        let mut counts = HashMap::new();
        for index in 0..self.plan.servers.len() {
            let log = fs::read_to_string(orders_log(&self.plan, index)).unwrap_or_default();
            for id in log.lines() {
                *counts.entry(id.to_owned()).or_default() += 1;
            }
        }
        counts
    }

    pub(super) async fn stop(mut self) {
        self.balancer.stop().await.expect("it stops");
    }

    async fn answered(&self, index: usize) -> u64 {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            match lab::watch::status(&self.plan.admin()).await {
                // The machine is busy with other tests; how fast the state is told is not what this is about.
                Err(WatchError::Late) if Instant::now() < end => {}
                status => break status.expect("the balancer's state"),
            }
        };
        let name = self.plan.servers[index].address.to_string();
        status.server(&name).map_or(0, |server| server.requests.saturating_sub(server.failures))
    }
}

fn plan(home: &TempDir, number: u8) -> Plan {
    let [.., low] = std::process::id().to_be_bytes();
    let options = Options {
        program: env!("CARGO_BIN_EXE_bedloe").into(),
        folder: home.path().join("lab"),
        // The lab's own tests, which run beside, have 100 and on.
        address: Ipv4Addr::new(127, 130 + number, low, 10),
        servers: 3,
        rate: 1,
        duration: Duration::from_secs(60),
        warm_up: Duration::ZERO,
        faults: Some(Vec::new()),
        liberty: None,
        load: None,
        roll: false,
    };
    Plan::new(options).expect("a plan")
}

/// Writes configuration and certificate; a client that trusts it.
fn write(plan: &Plan) -> Arc<ClientConfig> {
    let folder = &plan.options.folder;
    for file in lab::config::generate(plan).0 {
        // Without checks: what is tried here are the failures of requests.
        let lines = file.text.lines().filter(|line| !line.trim().starts_with("health_check "));
        let text: String = lines.map(|line| line.replace("fail_timeout=30s", "fail_timeout=2s") + "\n").collect();
        fs::write(folder.join(file.path), text).expect("a folder to write to");
    }
    let pair = lab::certificate::make(plan.https.ip()).expect("a certificate");
    fs::write(folder.join("tls/liberty.crt"), &pair.certificate).expect("a folder to write to");
    fs::write(folder.join("tls/liberty.key"), &pair.key).expect("a folder to write to");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pair.certificate.as_bytes()).expect("PEM")).expect("a root");
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

fn start(recipe: Recipe) -> Process {
    Process::start(recipe).expect("the program starts")
}

fn orders_log(plan: &Plan, index: usize) -> PathBuf {
    plan.options.folder.join(format!("orders-{index}"))
}

fn stand_in(plan: &Plan, index: usize) -> Recipe {
    let server = &plan.servers[index];
    let (address, log) = (server.address.to_string(), orders_log(plan, index).display().to_string());
    let arguments = ["stand-in", "--listen", &address, "--name", &server.name, "--orders-log", &log, "--delay", DELAY];
    recipe(plan, &server.name, server.address, &arguments)
}

fn balancer(plan: &Plan) -> Recipe {
    let (file, folder) = (plan.configuration().display().to_string(), plan.options.folder.display().to_string());
    let admin = format!("unix:{}", plan.admin().display());
    recipe(plan, "balancer", plan.https, &["run", "-c", &file, "-p", &folder, "--admin", &admin])
}

fn recipe(plan: &Plan, name: &str, address: SocketAddr, arguments: &[&str]) -> Recipe {
    let log = plan.options.folder.join("logs").join(format!("{name}.log"));
    Recipe::own(name, &plan.options.program, arguments, address, log)
}
