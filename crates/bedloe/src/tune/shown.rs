//! What `bedloe tune` prints: the table, the plan as a script of the shell, both as JSON.

use host::tune::{self, Ask, Facts, Look, Plan, Root, Row, State};
use serde_json::json;

use crate::shell;
use crate::table::{Align, Table};
use crate::visible::visible;

/// The table, and a sentence on what to do.
pub(super) fn table(root: &Root, ask: &Ask, look: &Look) -> String {
    let columns = ["setting", "now", "wanted", "ok", "set in", "why"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for row in &look.rows {
        let set_in = row.set_in.as_deref().unwrap_or("-");
        let cells = [row.setting.as_str(), &row.now, &row.wanted, word(row.state), set_in, &row.why];
        table.row(cells.map(visible));
    }
    let amiss = look.rows.iter().filter(|row| !row.ok).count();
    let count = look.rows.len();
    let sentence = if amiss == 0 {
        format!("all is as the role {} wants it\n", ask.role)
    } else {
        let again = again(root, ask);
        format!(
            "{amiss} of {count} settings are not as wanted; `bedloe tune plan {again}` shows what would be changed\n"
        )
    };
    let unfinished = tune::unfinished(root).map(|text| format!("# {}\n", visible(&text))).unwrap_or_default();
    table.render(0) + "\n" + &unfinished + &notes(&look.rows) + &sentence
}

/// The arguments by which the same is asked for.
fn again(root: &Root, ask: &Ask) -> String {
    let mut words = format!("--role {} --rate {} --connections {}", ask.role, ask.rate, ask.connections);
    words.extend(ask.services.iter().map(|name| format!(" --service {}", shell::word(name))));
    words.extend(ask.ports.iter().map(|port| format!(" --port {port}")));
    words.extend(ask.users.iter().map(|name| format!(" --user {}", shell::word(name))));
    visible(&(words + &below(root)))
}

/// The argument by which the same tree is meant.
fn below(root: &Root) -> String {
    if root.is_host() { String::new() } else { format!(" --root {}", shell::word(&root.path().display().to_string())) }
}

fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Low => "NO",
        State::Forbidden => "NO (kept)",
        State::Overruled => "NO (overruled)",
        State::Absent => "absent",
        State::Advice => "advice",
    }
}

/// What cannot be mended from here, and who can.
fn notes(rows: &[Row]) -> String {
    let mut notes = String::new();
    for row in rows {
        let note = match (row.state, &row.set_in) {
            (State::Forbidden, _) => format!(
                "{} is closed even to root here, as in a container: set it on the machine that runs this, to {}",
                row.setting, row.wanted
            ),
            (State::Overruled, Some(place)) => {
                format!("{} is set in {place}, which outweighs what is written here: change it there", row.setting)
            }
            (State::Overruled, None) => format!("{} is set by something that outweighs this", row.setting),
            _ => continue,
        };
        notes += &format!("# {}\n", visible(&note));
    }
    notes
}

/// The same as data.
pub(super) fn table_json(root: &Root, ask: &Ask, facts: &Facts, look: &Look) -> String {
    let all = json!({
        "role": ask.role,
        "rate": ask.rate,
        "connections": ask.connections,
        "root": root.path().to_string_lossy(),
        "memory_mib": facts.memory_mib(),
        "cores": facts.cores(),
        "ok": look.rows.iter().all(|row| row.ok),
        "unfinished": tune::unfinished(root),
        "settings": look.rows,
    });
    format!("{all:#}\n")
}

/// The plan as a script of the shell that does the same.
pub(super) fn plan(root: &Root, look: &Look) -> String {
    let Look { rows, plan } = look;
    let notes = notes(rows);
    if plan.is_empty() {
        return notes + "# nothing to change\n";
    }
    let mut text = notes;
    let at = |path: &str| shell::word(&root.path().join(path).display().to_string());
    for folder in &plan.folders {
        text += &format!("mkdir -m 0755 {}\n", at(folder));
    }
    for file in &plan.files {
        let what = if file.is_new() { "new" } else { "replaced" };
        let path = at(&file.path);
        let content: String = file.content().lines().map(|line| shown(line) + "\n").collect();
        let end = end_of(&content);
        text += &format!("cat > {path} <<'{end}'   # {what}\n{content}{end}\nchmod {:04o} {path}\n", file.mode());
    }
    for command in commands(plan) {
        text += &format!("{command}\n");
    }
    for command in &plan.later {
        text += &format!("# in the running host of this tree, or by its next start: {command}\n");
    }
    text
}

/// A line of a file, whose tabs stay.
fn shown(line: &str) -> String {
    line.split('\t').map(visible).collect::<Vec<_>>().join("\t")
}

/// A line that is none of a text's: what a strange tree has in its files is never run.
fn end_of(content: &str) -> String {
    let mut end = "END".to_owned();
    while content.lines().any(|line| line == end) {
        end.push('D');
    }
    end
}

fn commands(plan: &Plan) -> Vec<String> {
    let values = plan.values.iter().map(|value| {
        let set = if value.name.starts_with('/') {
            format!("echo {} > {}", shell::word(&value.after), value.name)
        } else {
            format!("sysctl -w {}", shell::word(&format!("{}={}", value.name, value.after)))
        };
        let before = if value.before.is_empty() { "none" } else { &value.before };
        visible(&format!("{set}   # {before} now"))
    });
    let processes = plan.processes.iter().map(|process| {
        let (after, before) = (process.after, process.before);
        let set = format!("prlimit --pid {} --nofile={}:{}", process.pid, limit(after.soft), limit(after.hard));
        visible(&format!("{set}   # {}, {}:{} now", process.name, limit(before.soft), limit(before.hard)))
    });
    let reload = plan.reloads_systemd.then(|| "systemctl daemon-reload".to_owned());
    values.chain(processes).chain(reload).collect()
}

fn limit(limit: u64) -> String {
    if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() }
}

/// The same as data.
pub(super) fn plan_json(root: &Root, look: &Look) -> String {
    let Look { rows, plan } = look;
    let files = plan.files.iter().map(|file| {
        json!({
            "path": format!("/{}", file.path),
            "new": file.is_new(),
            "mode": format!("{:04o}", file.mode()),
            "content": file.content(),
        })
    });
    let values = plan.values.iter();
    let values = values.map(|value| json!({"name": value.name, "before": value.before, "after": value.after}));
    let processes = plan.processes.iter().map(|process| {
        let limits = |limits: host::tune::Limits| json!({"soft": limit(limits.soft), "hard": limit(limits.hard)});
        let (before, after) = (limits(process.before), limits(process.after));
        json!({"pid": process.pid, "name": process.name, "before": before, "after": after})
    });
    let kept = rows.iter().filter(|row| matches!(row.state, State::Forbidden | State::Overruled));
    let all = json!({
        "root": root.path().to_string_lossy(),
        "folders": plan.folders.iter().map(|folder| format!("/{folder}")).collect::<Vec<_>>(),
        "files": files.collect::<Vec<_>>(),
        "values": values.collect::<Vec<_>>(),
        "processes": processes.collect::<Vec<_>>(),
        "commands": commands(plan),
        "later": plan.later,
        "not_possible": kept.collect::<Vec<_>>(),
    });
    format!("{all:#}\n")
}

/// What came of it.
pub(super) fn applied(root: &Root, plan: &Plan) -> String {
    let tree = below(root);
    let count = plan.files.len() + plan.values.len() + plan.processes.len();
    let changes = if count == 1 { "change" } else { "changes" };
    let mut text =
        visible(&format!("{count} {changes} made; `bedloe tune undo{tree}` puts back what stood before")) + "\n";
    if plan.files.iter().any(|file| file.path.starts_with("etc/systemd/")) {
        text += "services have their new limits from their next start on";
        text += if plan.processes.is_empty() { "\n" } else { "; what runs of this role was raised now\n" };
    }
    text
}

/// That there is no record; files that one was of are named.
pub(super) fn nothing_to_undo(orphans: &[String]) -> String {
    let mut text = "nothing to undo: no run of `bedloe tune apply` is recorded\n".to_owned();
    if !orphans.is_empty() {
        let paths: Vec<String> = orphans.iter().map(|path| visible(&format!("/{path}"))).collect();
        text += &format!("what runs without a record left is to be removed by hand: {}\n", paths.join(", "));
    }
    text
}

/// What is to be put back, without what a terminal would act upon.
pub(super) fn undoing(root: &Root, lines: &[String]) -> String {
    let tree = (!root.is_host()).then(|| format!("# below {}", root.path().display()));
    tree.iter().chain(lines).map(|line| visible(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_text_does_not_end_where_it_says_so_itself() {
        assert_eq!(super::end_of("a\n END\n"), "END");
        assert_eq!(super::end_of("END\nrm -r /\nENDD\n"), "ENDDD");
    }
}
