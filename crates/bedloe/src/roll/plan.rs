//! What a roll is to do: which servers, in which order, by which command. Pure; all of it is checked before the first
//! server is touched.

use anyhow::{Context, bail};

use super::template::Template;
use super::view::{Server, View};
use crate::visible::visible;

/// One server that is to be restarted.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) server: Server,
    /// The command, with the server's values in it.
    pub(super) command: String,
    /// What `--server` takes for this one alone.
    pub(super) word: String,
}

/// The servers to restart, in order, and those that are passed over because they are out of use already.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) targets: Vec<Target>,
    pub(super) passed_over: Vec<Server>,
    /// What its user has to know before.
    pub(super) warnings: Vec<String>,
}

impl Plan {
    /// Of all servers, or of those that are named.
    pub(super) fn new(view: &View, named: &[String], template: &Template, min_up: usize) -> anyhow::Result<Self> {
        let wanted = if named.is_empty() { view.servers.iter().collect() } else { chosen(view, named)? };
        let (passed_over, wanted): (Vec<&Server>, Vec<&Server>) =
            wanted.into_iter().partition(|server| server.marks.down || server.marks.drain);
        let target = |server: &Server| {
            alone(view, server)?;
            let command = template.command(server).with_context(|| server.shown())?;
            Ok(Target { server: server.clone(), command, word: word(view, server) })
        };
        let targets = wanted.into_iter().map(target).collect::<anyhow::Result<Vec<_>>>()?;
        if targets.is_empty() {
            bail!("there is no server to restart: all are down or drain already");
        }
        for target in &targets {
            enough(view, &target.server, min_up)?;
        }
        Ok(Self { targets, passed_over: passed_over.into_iter().cloned().collect(), ..Self::default() })
    }
}

/// Whether enough servers are up without this one.
pub(super) fn enough(view: &View, server: &Server, min_up: usize) -> anyhow::Result<()> {
    let others = view.others_up(server);
    if others >= min_up {
        return Ok(());
    }
    let state = |each: &Server| {
        let backup = if each.is_backup { " (backup, not counted)" } else { "" };
        format!("{} {}{backup}", each.shown(), each.state)
    };
    let states: Vec<String> = view.servers.iter().map(state).collect();
    bail!("without {} {others} would be up, and --min-up wants {min_up}: {}", server.shown(), states.join(", "))
}

/// Two entries of one address are one process: what is drained of the one comes by the other.
fn alone(view: &View, server: &Server) -> anyhow::Result<()> {
    let twin = view.servers.iter().find(|other| other.address == server.address && other.id != server.id);
    match twin {
        None => Ok(()),
        Some(twin) => bail!(
            "the servers {} and {} are both at {}, and the one would get requests while the other is restarted: write \
             one of them, with their weight",
            server.id,
            twin.id,
            server.address
        ),
    }
}

/// Its number, or its address where the number is also what another server goes by.
fn word(view: &View, server: &Server) -> String {
    let number = server.id.to_string();
    let is_taken = view.servers.iter().any(|other| other.id != server.id && other.goes_by(&number));
    if is_taken { server.address.clone() } else { number }
}

fn chosen<'v>(view: &'v View, named: &[String]) -> anyhow::Result<Vec<&'v Server>> {
    let mut chosen: Vec<&Server> = Vec::new();
    for name in named {
        let found: Vec<&Server> = view.servers.iter().filter(|server| server.goes_by(name)).collect();
        let all = || view.servers.iter().map(|server| format!("{} {}", server.id, server.shown())).collect::<Vec<_>>();
        match found.as_slice() {
            [server] if chosen.contains(server) => bail!("--server names {} twice", server.shown()),
            [server] => chosen.push(server),
            [] => bail!("no server \"{}\" is in the upstream; there are: {}", visible(name), all().join(", ")),
            _ => bail!(
                "several servers are \"{}\": name one by its number or address: {}",
                visible(name),
                all().join(", ")
            ),
        }
    }
    Ok(chosen)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::view::Marks;
    use super::*;

    fn server(id: u64, name: &str, state: &str) -> Server {
        Server { id, name: name.into(), address: format!("10.0.0.{id}:9080"), state: state.into(), ..Server::default() }
    }

    fn three() -> View {
        View::of([server(1, "a", "up"), server(2, "b", "up"), server(3, "c", "unhealthy")])
    }

    fn order(view: &View, named: &[&str], min_up: usize) -> Result<Vec<u64>, String> {
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        let plan = Plan::new(view, &named, &"restart {name}".parse()?, min_up).map_err(|error| format!("{error:#}"))?;
        Ok(plan.targets.iter().map(|target| target.server.id).collect())
    }

    #[test]
    fn servers_are_taken_in_order() {
        let mut view = three();
        assert_eq!(order(&view, &[], 1), Ok(vec![1, 2, 3]));
        assert_eq!(order(&view, &["c", "10.0.0.1:9080", "2"], 1), Ok(vec![3, 1, 2]));
        view.servers[1].marks = Marks { down: false, drain: true };
        assert_eq!(order(&view, &[], 0), Ok(vec![1, 3]), "what drains is somebody else's");
        let refused = [
            (vec!["d"], "no server \"d\" is in the upstream; there are: 1 a, 2 b, 3 c"),
            (vec!["a", "1"], "--server names a twice"),
            (vec!["b"], "there is no server to restart: all are down or drain already"),
        ];
        for (named, said) in refused {
            assert_eq!(order(&view, &named, 0), Err(said.to_owned()));
        }
        view.servers[2].name = "a".into();
        assert!(order(&view, &["a"], 0).unwrap_err().starts_with("several servers are \"a\": name one by its number"));
        view.servers[1].route = "3".into();
        let words: Vec<String> = view.servers.iter().map(|server| word(&view, server)).collect();
        assert_eq!(words, ["1", "2", "10.0.0.3:9080"], "what leads to one server alone");
        for (word, id) in words.iter().zip([1, 2, 3]) {
            assert_eq!(chosen(&view, std::slice::from_ref(word)).unwrap()[0].id, id);
        }
        view.servers[0].address = "10.0.0.3:9080".into();
        assert!(order(&view, &["1"], 0).unwrap_err().contains("both at 10.0.0.3:9080"));
    }

    #[test]
    fn too_few_servers_are_refused_before_anything() {
        assert_eq!(order(&three(), &["c"], 2), Ok(vec![3]), "what is not up is not missed");
        let said = order(&three(), &[], 2).unwrap_err();
        assert_eq!(said, "without a 1 would be up, and --min-up wants 2: a up, b up, c unhealthy");
        let mut view = three();
        view.servers[1].is_backup = true;
        let said = order(&view, &["a"], 1).unwrap_err();
        assert!(said.contains("without a 0 would be up") && said.contains("b up (backup, not counted)"), "{said}");
        assert_eq!(order(&view, &["b"], 1), Ok(vec![2]), "who restarts a backup has the others");
    }
}
