//! What a roll is to do: which servers, in which order, by which command. Pure; all of it is checked before the first
//! server is touched.

use anyhow::{Context, bail};

use super::view::{Server, View};

/// One server that is to be restarted.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) server: Server,
    /// The command, with the server's values in it.
    pub(super) command: String,
}

/// The servers to restart, in order, and those that are passed over because they are out of use already.
pub(super) struct Plan {
    pub(super) targets: Vec<Target>,
    pub(super) passed_over: Vec<Server>,
}

impl Plan {
    /// Of all servers, or of those that are named.
    pub(super) fn new(view: &View, named: &[String], template: &str, min_up: usize) -> anyhow::Result<Self> {
        let wanted = if named.is_empty() { view.0.iter().collect() } else { chosen(view, named)? };
        let (passed_over, wanted): (Vec<&Server>, Vec<&Server>) =
            wanted.into_iter().partition(|server| server.marks.down || server.marks.drain);
        let target = |server: &Server| {
            let command = command(template, server).with_context(|| server.shown())?;
            Ok(Target { server: server.clone(), command })
        };
        let targets = wanted.into_iter().map(target).collect::<anyhow::Result<Vec<_>>>()?;
        if targets.is_empty() {
            bail!("there is no server to restart: all are down or drain already");
        }
        for target in &targets {
            enough(view, &target.server, min_up)?;
        }
        Ok(Self { targets, passed_over: passed_over.into_iter().cloned().collect() })
    }
}

/// Whether enough servers are up without this one.
pub(super) fn enough(view: &View, server: &Server, min_up: usize) -> anyhow::Result<()> {
    let others = view.others_up(server.id);
    if others >= min_up {
        return Ok(());
    }
    let states: Vec<String> = view.0.iter().map(|each| format!("{} {}", each.shown(), each.state)).collect();
    bail!("without {} {others} would be up, and --min-up wants {min_up}: {}", server.shown(), states.join(", "))
}

fn chosen<'v>(view: &'v View, named: &[String]) -> anyhow::Result<Vec<&'v Server>> {
    let mut chosen: Vec<&Server> = Vec::new();
    for name in named {
        let is_meant = |server: &&Server| {
            name.parse() == Ok(server.id) || [&server.name, &server.address, &server.route].contains(&name)
        };
        let found: Vec<&Server> = view.0.iter().filter(is_meant).collect();
        let all = || view.0.iter().map(|server| format!("{} {}", server.id, server.shown())).collect::<Vec<_>>();
        match found.as_slice() {
            [server] if chosen.contains(server) => bail!("--server names {} twice", server.shown()),
            [server] => chosen.push(server),
            [] => bail!("no server \"{name}\" is in the upstream; there are: {}", all().join(", ")),
            _ => bail!("several servers are \"{name}\": name one by its number: {}", all().join(", ")),
        }
    }
    Ok(chosen)
}

/// What a command may say of its server, and the names of the variables that hold the same.
pub(super) fn values(server: &Server) -> [(&'static str, &'static str, String); 6] {
    let (host, port) = match server.address.rsplit_once(':') {
        Some((host, port)) if !server.address.starts_with("unix:") => (host.trim_matches(['[', ']']), port),
        _ => ("", ""),
    };
    [
        ("name", "BEDLOE_NAME", server.name.clone()),
        ("address", "BEDLOE_ADDRESS", server.address.clone()),
        ("host", "BEDLOE_HOST", host.to_owned()),
        ("port", "BEDLOE_PORT", port.to_owned()),
        ("route", "BEDLOE_ROUTE", server.route.clone()),
        ("id", "BEDLOE_ID", server.id.to_string()),
    ]
}

/// A template with a server's values. `${VARIABLE}` and braces around anything but a word are the shell's.
fn command(template: &str, server: &Server) -> anyhow::Result<String> {
    let values = values(server);
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, behind)) = rest.split_once('{') {
        text.push_str(before);
        let word = behind.split_once('}').map(|(word, _)| word).unwrap_or_default();
        let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        if !is_word || before.ends_with('$') {
            text.push('{');
            rest = behind;
            continue;
        }
        let Some((name, variable, value)) = values.iter().find(|(name, ..)| *name == word) else {
            let known: Vec<String> = values.iter().map(|(name, ..)| format!("{{{name}}}")).collect();
            bail!(
                "the command has {{{word}}}, and there are {}; a command with braces of its own goes into a script",
                known.join(", ")
            );
        };
        if !is_plain(value) {
            bail!("its {name} {value:?} cannot stand in a command as it is: let the command use \"${variable}\"");
        }
        text.push_str(value);
        rest = &behind[word.len() + 1..];
    }
    text.push_str(rest);
    Ok(text)
}

/// Whether a shell takes a text as one word, whatever quotes are around it, and no program as a flag.
fn is_plain(value: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@%+=,-[]".contains(&byte);
    !value.is_empty() && !value.starts_with('-') && value.bytes().all(is_fit)
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
        View(vec![server(1, "a", "up"), server(2, "b", "up"), server(3, "c", "unhealthy")])
    }

    fn order(view: &View, named: &[&str], min_up: usize) -> Result<Vec<u64>, String> {
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        let plan = Plan::new(view, &named, "restart {name}", min_up).map_err(|error| format!("{error:#}"))?;
        Ok(plan.targets.iter().map(|target| target.server.id).collect())
    }

    #[test]
    fn servers_are_taken_in_order() {
        let mut view = three();
        assert_eq!(order(&view, &[], 1), Ok(vec![1, 2, 3]));
        assert_eq!(order(&view, &["c", "10.0.0.1:9080", "2"], 1), Ok(vec![3, 1, 2]));
        view.0[1].marks = Marks { down: false, drain: true };
        assert_eq!(order(&view, &[], 0), Ok(vec![1, 3]), "what drains is somebody else's");
        let refused = [
            (vec!["d"], "no server \"d\" is in the upstream; there are: 1 a, 2 b, 3 c"),
            (vec!["a", "1"], "--server names a twice"),
            (vec!["b"], "there is no server to restart: all are down or drain already"),
        ];
        for (named, said) in refused {
            assert_eq!(order(&view, &named, 0), Err(said.to_owned()));
        }
        view.0[2].name = "a".into();
        assert!(order(&view, &["a"], 0).unwrap_err().starts_with("several servers are \"a\": name one by its number"));
    }

    #[test]
    fn too_few_servers_are_refused_before_anything() {
        assert_eq!(order(&three(), &["c"], 2), Ok(vec![3]), "what is not up is not missed");
        let said = order(&three(), &[], 2).unwrap_err();
        assert_eq!(said, "without a 1 would be up, and --min-up wants 2: a up, b up, c unhealthy");
    }

    #[test]
    fn commands_get_the_servers_values() {
        let one = Server { route: "s1".into(), ..server(7, "app-1.test:9080", "up") };
        let table = [
            ("restart {name}", "restart app-1.test:9080"),
            ("ssh {host} 'restart {port} {route}' # {id}", "ssh 10.0.0.7 'restart 9080 s1' # 7"),
            ("echo {address}{address}", "echo 10.0.0.7:908010.0.0.7:9080"),
            ("echo ${name} ${HOME} { ls; } a{1,2}b {", "echo ${name} ${HOME} { ls; } a{1,2}b {"),
            ("true", "true"),
        ];
        for (template, expected) in table {
            assert_eq!(command(template, &one).unwrap(), expected);
        }
        let said = command("restart {adress}", &one).unwrap_err().to_string();
        assert!(said.starts_with("the command has {adress}, and there are {name}, {address}, "), "{said}");
    }

    #[test]
    fn no_value_ends_a_word_of_the_shell() {
        for bad in ["", "-rf", "a b", "a;b", "$(a)", "`a`", "a'b", "a\"b", "a\\", "a\nb", "a*b", "a|b", "a&b", "~", "é"]
        {
            let one = Server { route: bad.into(), ..server(1, "a", "up") };
            let said = command("restart {route}", &one).unwrap_err().to_string();
            assert!(said.ends_with("let the command use \"$BEDLOE_ROUTE\""), "{bad:?}: {said}");
        }
        let unix = Server { address: "unix:/run/a.sock".into(), ..server(1, "a", "up") };
        assert_eq!(command("{address}", &unix).unwrap(), "unix:/run/a.sock");
        assert!(command("{host}", &unix).is_err());
        let six = Server { address: "[::1]:80".into(), ..server(1, "a", "up") };
        assert_eq!(command("{host} {port}", &six).unwrap(), "::1 80");
    }
}
