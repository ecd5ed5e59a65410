//! `bedloe upstream`: the servers of a running balancer, seen and changed through its `api`.

pub(crate) mod client;
mod find;
mod wait;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::fetch;
use crate::files::Source;
use crate::secrets::warn_if_open;
use crate::table::{Align, Table};
use crate::visible::visible;
use client::Client;
use wait::Waited;

/// The exit code of a wait that was given up.
const GIVEN_UP: u8 = 3;

/// See and change the servers of a running balancer: drain, down, up, add, remove.
///
/// It speaks to the `api` of a running balancer (`location /api/ { api write=on; }`), which it finds by the
/// configuration where that is on a unix socket or a loopback address.
///
/// Exit codes: 0 done, 1 not done, 2 the command line is wrong, 3 done, but what was waited for did not come in time.
#[derive(Debug, Args)]
pub(crate) struct UpstreamArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    at: At,
}

/// Where the interface is, and how it is shown.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// Where `api` answers: http://HOST[:PORT][/PATH], or unix:SOCKET[:/PATH]; the path is /api where none is written
    #[arg(long, value_name = "URL", global = true)]
    api: Option<String>,
    /// A file with NAME:PASSWORD, for an `api` behind auth_basic
    #[arg(long, value_name = "FILE", global = true)]
    credentials: Option<PathBuf>,
    /// The configuration file; with -p a relative path is against the prefix
    /// [default: /etc/nginx/nginx.conf, or conf/nginx.conf below the prefix]
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The folder that relative paths are against
    #[arg(short, long, value_name = "FOLDER", global = true)]
    prefix: Option<PathBuf>,
    /// Print JSON, to the standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl At {
    /// A client of the interface that is meant.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let address = match &self.api {
            Some(url) => client::address(url)?,
            None => find::in_configuration(&Source::new(self.config.clone(), self.prefix.clone(), None))?,
        };
        let credentials = self.credentials.as_deref().map(client::credentials).transpose()?;
        if let Some(file) = &self.credentials {
            warn_if_open(file);
            if address.is_in_the_clear() {
                crate::say(format_args!(
                    "the password is sent to {address} in the clear: use the unix socket, or a tunnel"
                ));
            }
        }
        Client::new(address, credentials)
    }
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show the upstreams that have a `zone`, or one of them
    List {
        /// The upstream
        upstream: Option<String>,
    },
    /// Send a server no new requests; those whose session belongs to it still go there
    Drain(Change),
    /// Send a server nothing at all
    Down(Change),
    /// Use a server again
    Up {
        #[command(flatten)]
        server: Named,
    },
    /// Add a server
    Add(Added),
    /// Take a server away; it finishes what it has begun
    Remove(Change),
}

/// A server.
#[derive(Debug, Args)]
struct Named {
    /// The upstream
    upstream: String,
    /// The server: its number, its name as written, its address, or its route
    server: String,
}

#[derive(Debug, Args)]
struct Change {
    #[command(flatten)]
    server: Named,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Clone, Copy, Args)]
struct WaitArgs {
    /// Wait until the server has no request in flight
    #[arg(long)]
    wait: bool,
    /// With --wait: and until it has got no request for so long, in seconds, so that sessions are idle
    #[arg(long, value_name = "SECONDS", default_value_t = 0, requires = "wait")]
    idle: u64,
    /// With --wait: give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait")]
    timeout: u64,
}

/// A server that is added; the settings are those of nginx's `server` line.
#[derive(Debug, Args)]
struct Added {
    /// The upstream
    upstream: String,
    /// The address: IP:PORT or unix:PATH
    address: String,
    /// Its share of requests
    #[arg(long)]
    weight: Option<u32>,
    /// Requests it may have in flight at once; 0 is no limit
    #[arg(long)]
    max_conns: Option<u32>,
    /// Failures that make it unavailable; 0 never does
    #[arg(long)]
    max_fails: Option<u32>,
    /// The time failures are counted in, such as 10s
    #[arg(long, value_name = "TIME")]
    fail_timeout: Option<String>,
    /// For how long its share grows after it has recovered, such as 30s
    #[arg(long, value_name = "TIME")]
    slow_start: Option<String>,
    /// What sessions that belong to it name
    #[arg(long)]
    route: Option<String>,
    /// Use it only where no other server can be
    #[arg(long)]
    backup: bool,
    /// Add it without sending it anything yet
    #[arg(long)]
    down: bool,
}

/// Runs the command.
pub(crate) fn run(args: UpstreamArgs) -> anyhow::Result<ExitCode> {
    let UpstreamArgs { what, at } = args;
    let client = at.client()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    fetch::run(runtime, carry_out(&client, what, at.json))
}

async fn carry_out(client: &Client, what: What, is_json: bool) -> anyhow::Result<ExitCode> {
    match what {
        What::List { upstream } => list(client, upstream.as_deref(), is_json).await,
        What::Up { server } => {
            let (_, id) = find_server(client, &server).await?;
            let changed = client.patch(&server.upstream, id, &json!({"down": false, "drain": false})).await?;
            say(is_json, &changed, &format!("{}: {} is up", server.upstream, shown(&changed)))?;
            Ok(ExitCode::SUCCESS)
        }
        What::Drain(change) => mark(client, &change, &json!({"drain": true}), "drains", is_json).await,
        What::Down(change) => mark(client, &change, &json!({"down": true}), "is down", is_json).await,
        What::Remove(change) => {
            let Change { server, wait } = change;
            let (removed, id) = find_server(client, &server).await?;
            client.remove(&server.upstream, id).await?;
            let waited =
                if wait.wait { wait::until_gone(client, &server.upstream, patience(wait)).await? } else { Waited::No };
            finish(is_json, &removed, &format!("{}: {} is removed", server.upstream, shown(&removed)), waited)
        }
        What::Add(added) => {
            let made = client.add(&added.upstream, &added.settings()).await?;
            let number = &made["id"];
            say(is_json, &made, &format!("{}: {} is added, with the number {number}", added.upstream, shown(&made)))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Changes a server's state, and waits where that is asked for.
async fn mark(client: &Client, change: &Change, body: &Value, what: &str, is_json: bool) -> anyhow::Result<ExitCode> {
    let Change { server, wait } = change;
    let (_, id) = find_server(client, server).await?;
    let changed = client.patch(&server.upstream, id, body).await?;
    let waited = if wait.wait {
        wait::until_idle(client, &server.upstream, id, Duration::from_secs(wait.idle), patience(*wait)).await?
    } else {
        Waited::No
    };
    finish(is_json, &changed, &format!("{}: {} {what}", server.upstream, shown(&changed)), waited)
}

fn patience(wait: WaitArgs) -> Duration {
    Duration::from_secs(wait.timeout)
}

fn finish(is_json: bool, server: &Value, text: &str, waited: Waited) -> anyhow::Result<ExitCode> {
    let mut object = server.clone();
    if let Some(in_flight) = waited.in_flight() {
        object["in_flight"] = in_flight.into();
    }
    let ended = match waited {
        Waited::No => String::new(),
        Waited::Done => ", and nothing is in flight".to_owned(),
        Waited::GivenUp { in_flight } => format!("; given up waiting: {in_flight} in flight"),
    };
    say(is_json, &object, &format!("{text}{ended}"))?;
    Ok(if matches!(waited, Waited::GivenUp { .. }) { ExitCode::from(GIVEN_UP) } else { ExitCode::SUCCESS })
}

fn say(is_json: bool, object: &Value, text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = if is_json { writeln!(stdout, "{object:#}") } else { writeln!(stdout, "{text}") };
    written.context("writing to the standard output")
}

/// A server's name for people, with its route where it has one.
fn shown(server: &Value) -> String {
    let text = |name: &str| server[name].as_str().unwrap_or_default();
    match text("route") {
        "" => visible(text("server")),
        route => format!("{} ({})", visible(text("server")), visible(route)),
    }
}

/// The server that somebody means, and its number.
async fn find_server(client: &Client, named: &Named) -> anyhow::Result<(Value, u64)> {
    let servers = client.get(&format!("http/upstreams/{}/servers", client::escaped(&named.upstream))).await?;
    let servers = servers.as_array().map(Vec::as_slice).unwrap_or_default();
    let peers = client.get(&format!("http/upstreams/{}?fields=peers", client::escaped(&named.upstream))).await?;
    let peers = peers["peers"].as_array().cloned().unwrap_or_default();
    let wanted = named.server.as_str();
    let number: Option<u64> = wanted.parse().ok();
    let name_of = |id: &Value| peers.iter().find(|peer| peer["id"] == *id).and_then(|peer| peer["name"].as_str());
    let is_meant = |server: &&Value| {
        (number.is_some() && server["id"].as_u64() == number)
            || server["server"] == wanted
            || server["route"] == wanted
            || name_of(&server["id"]) == Some(wanted)
    };
    let found: Vec<&Value> = servers.iter().filter(is_meant).collect();
    let all = || servers.iter().map(|server| format!("{} {}", server["id"], shown(server))).collect::<Vec<_>>();
    match found.as_slice() {
        [server] => Ok(((*server).clone(), server["id"].as_u64().context("the interface shows a server without id")?)),
        [] => bail!("no server \"{wanted}\" is in {}; there are: {}", named.upstream, all().join(", ")),
        _ => bail!(
            "several servers of {} are \"{wanted}\": name one by its number: {}",
            named.upstream,
            all().join(", ")
        ),
    }
}

impl Added {
    /// As the interface takes it.
    fn settings(&self) -> Value {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        put("server", Some(self.address.clone().into()));
        put("weight", self.weight.map(Value::from));
        put("max_conns", self.max_conns.map(Value::from));
        put("max_fails", self.max_fails.map(Value::from));
        put("fail_timeout", self.fail_timeout.clone().map(Value::from));
        put("slow_start", self.slow_start.clone().map(Value::from));
        put("route", self.route.clone().map(Value::from));
        put("backup", self.backup.then_some(Value::Bool(true)));
        put("down", self.down.then_some(Value::Bool(true)));
        Value::Object(fields)
    }
}

async fn list(client: &Client, upstream: Option<&str>, is_json: bool) -> anyhow::Result<ExitCode> {
    let upstreams = match upstream {
        None => client.get("http/upstreams").await?,
        Some(name) => json!({name: client.get(&format!("http/upstreams/{}", client::escaped(name))).await?}),
    };
    if is_json {
        say(true, &upstreams, "")?;
        return Ok(ExitCode::SUCCESS);
    }
    let columns = [
        ("upstream", Align::Left),
        ("id", Align::Right),
        ("server", Align::Left),
        ("state", Align::Left),
        ("weight", Align::Right),
        ("in flight", Align::Right),
        ("requests", Align::Right),
        ("5xx", Align::Right),
        ("failures", Align::Right),
        ("answers in", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for (name, upstream) in upstreams.as_object().into_iter().flatten() {
        for peer in upstream["peers"].as_array().into_iter().flatten() {
            let text = |field: &str| visible(peer[field].as_str().unwrap_or_default());
            let number = |value: &Value| value.as_u64().unwrap_or(0).to_string();
            let backup = if peer["backup"] == true { " (backup)" } else { "" };
            table.row([
                visible(name),
                number(&peer["id"]),
                text("name"),
                text("state") + backup,
                number(&peer["weight"]),
                number(&peer["active"]),
                number(&peer["requests"]),
                number(&peer["responses"]["5xx"]),
                number(&peer["fails"]),
                format!("{} ms", number(&peer["response_time"])),
            ]);
        }
    }
    io::stdout().lock().write_all(table.render(0).as_bytes()).context("writing to the standard output")?;
    Ok(ExitCode::SUCCESS)
}
