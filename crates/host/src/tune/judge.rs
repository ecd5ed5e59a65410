//! Compares what is with what is wanted: a row to show, and what would mend it. Pure.

use serde::Serialize;

use super::Facts;
use super::advice::Advice;
use super::boot::{self, BootValue};
use super::facts::Access;
use super::limits::{Limits, Process};
use super::rule::Rule;
use super::wanted::{Wanted, What};
use super::{facts, logins, units};

/// How a setting stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is as wanted, or more.
    Ok,
    /// It is not, and can be set.
    Low,
    /// It is not, and a container keeps it as it is.
    Forbidden,
    /// It is not, or will not be at the next start, by a file that is read after ours.
    Overruled,
    /// There is no such thing here.
    Absent,
    /// It could be better; nothing is set.
    Advice,
}

/// A setting in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The setting.
    pub setting: String,
    /// What it is.
    pub now: String,
    /// What it is to be.
    pub wanted: String,
    /// How it stands.
    pub state: State,
    /// Whether it fails the check.
    pub ok: bool,
    /// Where it is set; `None` is the kernel's or systemd's own.
    pub set_in: Option<String>,
    /// Why, with the number it comes from.
    pub why: String,
}

/// What mends a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fix {
    /// The kernel's value now.
    Value { path: String, name: String, before: String, after: String },
    /// The kernel's value at the next start.
    Boot { name: String, value: String },
    /// A service's limit.
    Service { name: String, limits: Limits },
    /// A login's limit.
    Login { user: String, limits: Limits },
    /// A running process's limit.
    Process { process: Process, after: Limits },
}

/// A row and what mends it.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) row: Row,
    pub(super) fixes: Vec<Fix>,
}

/// Judges one wish.
pub(super) fn judge(facts: &Facts, wanted: Wanted) -> Judged {
    let Wanted { what, rule, why } = wanted;
    match what {
        What::Kernel(name) if facts.is_tree => in_tree(facts, name, &rule, why),
        What::Kernel(name) => running(facts, name, &rule, why),
        What::Service(at) => service(&facts.services[at], &rule, why),
        What::Login(at) => login(&facts.logins[at], facts.files_cap(), &rule, why),
        What::Running(name) => processes(facts, &name, &rule, why),
        What::Advice(advice) => said(advice),
        What::Nothing(setting) => absent(setting, &rule, why),
    }
}

fn row(setting: impl Into<String>, now: impl Into<String>, wanted: String, state: State, why: String) -> Row {
    let ok = matches!(state, State::Ok | State::Absent | State::Advice);
    let now = now.into();
    let now = if now.is_empty() { "none".to_owned() } else { now };
    Row { setting: setting.into(), now, wanted, state, ok, set_in: None, why }
}

fn absent(setting: &str, rule: &Rule, why: String) -> Judged {
    Judged { row: row(setting, "-", rule.to_string(), State::Absent, why), fixes: Vec::new() }
}

fn said(advice: Advice) -> Judged {
    let Advice { setting, now, wanted, why, is_ok } = advice;
    let state = if is_ok { State::Ok } else { State::Advice };
    Judged { row: row(setting, now, wanted, state, why), fixes: Vec::new() }
}

/// In a tree nothing runs: what counts is what will be when it does.
fn in_tree(facts: &Facts, name: &str, rule: &Rule, why: String) -> Judged {
    let boot = facts.at_boot.get(name);
    let basis = facts.known(name);
    let mended = match basis {
        Some(now) => rule.mended(now),
        None => Some(rule.to_string()),
    };
    let is_above = boot.is_some_and(|boot| boot.is_above_ours);
    let state = match &mended {
        None => State::Ok,
        Some(_) if is_above => State::Overruled,
        Some(_) if !is_writable_at_boot(facts, name) => State::Absent,
        Some(_) => State::Low,
    };
    let fixes = match &mended {
        Some(value) if state == State::Low => vec![Fix::Boot { name: name.to_owned(), value: value.clone() }],
        _ => Vec::new(),
    };
    let shown = mended.unwrap_or_else(|| rule.to_string());
    let mut row = row(name, basis.unwrap_or("-"), shown, state, why);
    row.set_in = boot.map(|boot| boot.place.clone());
    Judged { row, fixes }
}

/// What is below `/sys` is set by systemd's program alone.
fn is_writable_at_boot(facts: &Facts, name: &str) -> bool {
    facts.has_systemd || !name.starts_with('/')
}

/// On the running host both the value now and the one at the next start are to fit.
fn running(facts: &Facts, name: &str, rule: &Rule, why: String) -> Judged {
    let Some(value) = facts.values.get(name) else {
        let why = format!("{why} (not in this kernel, or of the machine and not of this network namespace)");
        return absent(name, rule, why);
    };
    let boot = facts.at_boot.get(name);
    let late = boot.filter(|boot| rule.mended(&boot.value).is_some());
    let now = rule.mended(&value.text);
    let state = match (&now, late) {
        (None, None) => State::Ok,
        (Some(_), _) if value.access == Access::Forbidden => State::Forbidden,
        (_, Some(boot)) if boot.is_above_ours => State::Overruled,
        (None, Some(_)) if !is_writable_at_boot(facts, name) => State::Overruled,
        _ => State::Low,
    };
    // Where a file says more than is wanted, that is what is loaded; what it says is not lost at the next start.
    let target = now.as_ref().unwrap_or(&value.text);
    let target = boot.map_or_else(|| target.clone(), |boot| rule.joined(target, &boot.value));
    let mut row = row(name, &value.text, now.clone().unwrap_or_else(|| rule.to_string()), state, why);
    row.set_in = boot.map(|boot| place(boot, &value.text));
    if matches!(state, State::Ok | State::Forbidden) {
        return Judged { row, fixes: Vec::new() };
    }
    let mut fixes = Vec::new();
    if now.is_some() {
        let (path, before) = (facts::path(name), value.text.clone());
        fixes.push(Fix::Value { path, name: name.to_owned(), before, after: target.clone() });
    }
    let is_wanted = boot.is_none() || late.is_some();
    if is_wanted && state == State::Low && is_writable_at_boot(facts, name) {
        fixes.push(Fix::Boot { name: name.to_owned(), value: target });
    }
    Judged { row, fixes }
}

fn place(boot: &BootValue, now: &str) -> String {
    if boot::normal(now) == boot.value { boot.place.clone() } else { format!("{} ({})", boot.place, boot.value) }
}

fn least(rule: &Rule) -> u64 {
    if let Rule::AtLeast(least) = rule { *least } else { 0 }
}

fn service(service: &units::Service, rule: &Rule, why: String) -> Judged {
    let is_ok = service.limits.soft >= least(rule);
    let state = match (is_ok, service.is_above_ours) {
        (true, _) => State::Ok,
        (false, true) => State::Overruled,
        (false, false) => State::Low,
    };
    let limits = service.limits.with(least(rule));
    let setting = format!("LimitNOFILE of {}.service", service.name);
    let mut row = row(setting, service.limits.written("infinity"), rule.to_string(), state, why);
    row.set_in = service.place.clone();
    let fixes = vec![Fix::Service { name: service.name.clone(), limits }];
    Judged { row, fixes: if state == State::Low { fixes } else { Vec::new() } }
}

fn login(login: &logins::Login, cap: u64, rule: &Rule, why: String) -> Judged {
    let least = least(rule);
    let is_ok = login.soft.is_some_and(|soft| soft >= least) && login.hard.is_none_or(|hard| hard >= least);
    let state = match (is_ok, login.is_above_ours) {
        (true, _) => State::Ok,
        (false, true) => State::Overruled,
        (false, false) => State::Low,
    };
    let who = if login.user == "*" { "logins".to_owned() } else { format!("logins of {}", login.user) };
    let now = login
        .soft
        .map_or("-".to_owned(), |soft| Limits { soft, hard: login.hard.unwrap_or(soft) }.written("unlimited"));
    let mut row = row(format!("nofile of {who}"), now, rule.to_string(), state, why);
    row.set_in = login.place.clone();
    let fixes = vec![Fix::Login { user: login.user.clone(), limits: login.with(least, cap) }];
    Judged { row, fixes: if state == State::Low { fixes } else { Vec::new() } }
}

/// All processes of a name, by the one that has least.
fn processes(facts: &Facts, name: &str, rule: &Rule, why: String) -> Judged {
    let least = least(rule);
    let of_name: Vec<&Process> = facts.processes.iter().filter(|process| process.name == name).collect();
    let now = of_name.iter().map(|process| process.limits).min_by_key(|limits| limits.soft);
    let low = of_name.iter().filter(|process| process.limits.soft < least);
    let raised = low.map(|process| ((*process).clone(), process.limits.with(least)));
    let (kept, raised): (Vec<_>, Vec<_>) = raised.partition(|(process, after)| facts.rights.are_short(process, *after));
    let fixes: Vec<Fix> = raised.into_iter().map(|(process, after)| Fix::Process { process, after }).collect();
    let ids: Vec<String> = of_name.iter().take(4).map(|process| process.pid.to_string()).collect();
    let more = if of_name.len() > ids.len() { ", ..." } else { "" };
    let what = if of_name.len() == 1 { "process" } else { "processes" };
    let setting = format!("open files of {name} ({what} {}{more})", ids.join(", "));
    let state = match (kept.is_empty(), fixes.is_empty()) {
        (false, _) => State::Forbidden,
        (true, true) => State::Ok,
        (true, false) => State::Low,
    };
    let now = now.map_or("-".to_owned(), |limits| limits.written("unlimited"));
    Judged { row: row(setting, now, rule.to_string(), state, why), fixes }
}
