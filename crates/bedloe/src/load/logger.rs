//! Lines for whoever watches a load test, on the standard error: short on a terminal, logfmt elsewhere, both in k6's
//! manner.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use anyhow::Context;
use indicatif::ProgressBar;
use load::script::{Level, Log, Sink};

use super::lines::{Format, Lines, Place};

/// Writes lines, also from the threads of a test.
#[derive(Debug)]
pub(crate) struct Logger {
    is_terminal: bool,
    /// The least that is shown.
    least: Level,
    began: Instant,
    /// What lines must not be written into.
    bar: Mutex<Option<ProgressBar>>,
    /// Where the console of scripts goes, if not here.
    console: Mutex<Option<File>>,
    /// Where else lines go, and how, once somebody has said so.
    ways: OnceLock<Ways>,
}

/// How lines are written, and where to.
#[derive(Debug)]
struct Ways {
    format: Format,
    place: Place,
    /// What is open for `Place::File`.
    file: Option<Mutex<File>>,
    least: Option<Level>,
}

impl Logger {
    pub(crate) fn new(is_verbose: bool) -> Arc<Self> {
        let least = if is_verbose { Level::Debug } else { Level::Info };
        let is_terminal = io::stderr().is_terminal();
        let (began, bar, console, ways) = (Instant::now(), Mutex::default(), Mutex::default(), OnceLock::new());
        Arc::new(Self { is_terminal, least, began, bar, console, ways })
    }

    /// As the injector takes it.
    pub(crate) fn sink(self: &Arc<Self>) -> Sink {
        let this = Arc::clone(self);
        Arc::new(move |log| this.log(log))
    }

    /// Lines go above this from here on.
    pub(crate) fn keep_clear_of(&self, bar: ProgressBar) {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).replace(bar);
    }

    /// Lines are written like this from here on, and to there.
    pub(crate) fn write_as(&self, lines: &Lines) -> anyhow::Result<()> {
        let Lines { format, place, least } = lines.clone();
        let file = match &place {
            Place::File(path) => {
                let file = File::options().append(true).create(true).open(path);
                Some(Mutex::new(file.with_context(|| format!("cannot write lines to {}", path.display()))?))
            }
            Place::Stderr | Place::Stdout | Place::Nowhere => None,
        };
        let _ = self.ways.set(Ways { format, place, file, least });
        Ok(())
    }

    /// The console of scripts goes to this file from here on.
    pub(crate) fn write_console_to(&self, path: &Path) -> anyhow::Result<()> {
        let file = File::create(path).with_context(|| format!("cannot write the console to {}", path.display()))?;
        self.console.lock().unwrap_or_else(PoisonError::into_inner).replace(file);
        Ok(())
    }

    /// A warning of the injector's own.
    pub(crate) fn warn(&self, text: &str) {
        self.log(&Log { level: Level::Warning, text: text.to_owned(), fields: Vec::new() });
    }

    /// An error of the injector's own.
    pub(crate) fn error(&self, text: &str) {
        self.log(&Log { level: Level::Error, text: text.to_owned(), fields: Vec::new() });
    }

    /// Writes one line. Nobody need be reading it.
    pub(crate) fn log(&self, log: &Log) {
        if log.level < self.least {
            return;
        }
        let now = net::clock::unix_ms() / 1_000;
        if log.fields.iter().any(|(key, value)| *key == "source" && value == "console")
            && let Some(file) = &mut *self.console.lock().unwrap_or_else(PoisonError::into_inner)
        {
            let bare = Log { fields: Vec::new(), ..log.clone() };
            let _ = file.write_all(plain_line(&bare, now).as_bytes());
            return;
        }
        let ways = self.ways.get();
        if ways.and_then(|ways| ways.least).is_some_and(|least| log.level < least) {
            return;
        }
        let (format, place) = ways.map_or((Format::Text, &Place::Stderr), |ways| (ways.format, &ways.place));
        let line = match (format, place) {
            (Format::Json, _) => json_line(log, now),
            (Format::Raw, _) => format!("{}\n", log.text),
            (Format::Text, Place::Stderr) if self.is_terminal => terminal_line(log, self.began.elapsed().as_secs()),
            (Format::Text, _) => plain_line(log, now),
        };
        let write = || match place {
            Place::Stderr => io::stderr().lock().write_all(line.as_bytes()),
            Place::Stdout => io::stdout().lock().write_all(line.as_bytes()),
            Place::Nowhere => Ok(()),
            Place::File(_) => match ways.and_then(|ways| ways.file.as_ref()) {
                Some(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes()),
                None => Ok(()),
            },
        };
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let _ = match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
    }
}

fn terminal_line(log: &Log, seconds: u64) -> String {
    let (name, colour) = match log.level {
        Level::Debug => ("DEBU", 37),
        Level::Info => ("INFO", 36),
        Level::Warning => ("WARN", 33),
        Level::Error => ("ERRO", 31),
    };
    let mut line = format!("\x1b[{colour}m{name}\x1b[0m[{seconds:04}] {:44}", log.text);
    for (key, value) in sorted(log) {
        line += &format!(" \x1b[{colour}m{key}\x1b[0m={}", quoted(value));
    }
    line.push('\n');
    line
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

/// An object with its fields by name.
fn json_line(log: &Log, unix_seconds: u64) -> String {
    let mut fields: BTreeMap<&str, &str> = sorted(log).into_iter().collect();
    let time = time(unix_seconds);
    fields.extend([("level", level_name(log.level)), ("msg", &log.text), ("time", &time)]);
    serde_json::to_string(&fields).unwrap_or_default() + "\n"
}

fn plain_line(log: &Log, unix_seconds: u64) -> String {
    let level = level_name(log.level);
    let mut line = format!("time=\"{}\" level={level}", time(unix_seconds));
    if !log.text.is_empty() {
        line += &format!(" msg={}", quoted(&log.text));
    }
    for (key, value) in sorted(log) {
        line += &format!(" {key}={}", quoted(value));
    }
    line.push('\n');
    line
}

fn sorted(log: &Log) -> Vec<(&str, &str)> {
    let mut fields: Vec<(&str, &str)> = log.fields.iter().map(|(key, value)| (*key, value.as_str())).collect();
    fields.sort_unstable();
    fields
}

/// In quotes, unless it is a plain word.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/@^+".contains(&byte);
    if text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            letter if letter.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(letter))),
            letter if is_unseen(letter) => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// Letters that nobody sees, and so are written as numbers.
fn is_unseen(letter: char) -> bool {
    let unseen = ['\u{ad}', '\u{2028}', '\u{2029}', '\u{feff}', '\u{a0}'];
    letter.is_control() || unseen.contains(&letter) || ('\u{200b}'..='\u{200f}').contains(&letter)
}

/// `2026-01-31T12:00:00Z`.
fn time(unix_seconds: u64) -> String {
    let (days, second) = (unix_seconds / 86_400, unix_seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years, as the calendar repeats itself.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_796_083_199, "2026-11-30T23:59:59Z"),
            (1_798_761_600, "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }

    #[test]
    fn lines_are_json_where_that_is_asked_for() {
        let fields = vec![("source", "console".to_owned()), ("error", "a \"b\"".to_owned())];
        let log = Log { level: Level::Info, text: "x\ty".into(), fields };
        let expected =
            r#"{"error":"a \"b\"","level":"info","msg":"x\ty","source":"console","time":"1970-01-01T00:00:00Z"}"#;
        assert_eq!(json_line(&log, 0), format!("{expected}\n"));
    }

    #[test]
    fn lines_are_logfmt() {
        let fields = vec![("source", "console".to_owned()), ("error", "a \"b\"".to_owned())];
        let log = Log { level: Level::Info, text: "x\ty".into(), fields };
        assert_eq!(
            plain_line(&log, 0),
            "time=\"1970-01-01T00:00:00Z\" level=info msg=\"x\\ty\" error=\"a \\\"b\\\"\" source=console\n"
        );
        let log = Log { level: Level::Error, text: "w".into(), fields: Vec::new() };
        assert_eq!(plain_line(&log, 0), "time=\"1970-01-01T00:00:00Z\" level=error msg=w\n");
        for (text, expected) in [("", ""), ("\u{7}\u{1}", "\"\\a\\x01\""), ("\u{85}\u{feff}", "\"\\u0085\\ufeff\"")] {
            assert_eq!(quoted(text), expected);
        }
    }
}
