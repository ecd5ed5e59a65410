//! Logs of requests and of errors: files, the standard error, syslog; what a line holds, and who has one.
//!
//! Left out: paths of access logs with variables, and the memory of a debugger.

use super::{Apply, Contexts, Directive, Ignored, Takes, no_effect};
use crate::Diagnostic;
use crate::build::{Call, Cx, Inherited, MainDraft, Outcome};
use crate::suggest;
use crate::template::{Part, Template};
use crate::tree::{AccessLog, ErrorLog, LogEscape, LogFormat, LogLevel, LogTarget, Syslog};
use crate::value;

/// The standard port of syslog.
const SYSLOG_PORT: u16 = 514;
/// nginx's limit of `tag`.
const TAG_MAX: usize = 32;
/// The format that is always there.
const COMBINED: &str = "combined";
/// nginx's buffer of a compressed log where none is written.
const GZIP_BUFFER: u64 = 64 << 10;

const LEVELS: [(&str, LogLevel); 8] = [
    ("emerg", LogLevel::Emerg),
    ("alert", LogLevel::Alert),
    ("crit", LogLevel::Crit),
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("notice", LogLevel::Notice),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
];

/// In the order of their numbers (RFC 5424 6.2.1).
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv", "ftp", "ntp",
    "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
const LOCAL7: u8 = 23;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "log_format",
        contexts: Contexts::HTTP,
        takes: Takes::at_least(2),
        repeats: true,
        default: "",
        doc: "What a line of an access log holds: a name, escape=default|json|none, and texts that are put together.",
        example: "log_format main escape=json '{\"status\":$status}';",
        apply: Apply::Inherited(|_, call, cx| log_format(call, cx)),
    },
    Directive {
        name: "access_log",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::at_least(1),
        repeats: true,
        default: "",
        doc: "Where a line for each request goes, its format, if=CONDITION, gzip=LEVEL; or off.",
        example: "access_log /var/log/nginx/access.log combined;",
        apply: Apply::Inherited(access_log),
    },
    Directive {
        name: "error_log",
        contexts: Contexts::MAIN,
        takes: Takes::between(1, 2),
        repeats: true,
        default: "",
        doc: "Where errors go: a file, stderr or syslog:, and the least grave level that is written.",
        example: "error_log /var/log/nginx/error.log warn;",
        apply: Apply::Main(|draft: &mut MainDraft, call, cx| {
            let log = error_log(call, cx)?;
            add_error_log(&mut draft.error_logs, log, call);
            Ok(())
        }),
    },
    Directive {
        name: "error_log",
        contexts: Contexts::REQUEST,
        takes: Takes::between(1, 2),
        repeats: true,
        default: "",
        doc: "Where errors of these requests go, and the least grave level that is written.",
        example: "error_log /var/log/nginx/error.log warn;",
        apply: Apply::Inherited(|level, call, cx| {
            let log = error_log(call, cx)?;
            add_error_log(&mut level.settings.error_logs, log, call);
            Ok(())
        }),
    },
    no_effect(
        "open_log_file_cache",
        Contexts::REQUEST,
        Ignored::Text,
        "open_log_file_cache off;",
        "no log has variables in its path",
    )
    .taking(Takes::between(1, 4)),
];

/// Those of a level take the place of those above it.
fn add_error_log(logs: &mut Vec<ErrorLog>, log: ErrorLog, call: &Call<'_>) {
    if call.first {
        logs.clear();
    }
    logs.push(log);
}

fn log_format(call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let name = call.text(0);
    if name == COMBINED || cx.log_formats.iter().any(|format| format.name == name) {
        let message = format!("the log format \"{}\" is there already", call.word(0).shown());
        return Err(Diagnostic::error("duplicate-log-format", &call.word(0).place, message));
    }
    // One that is wrong is there all the same: who names it does nothing wrong.
    let (format, outcome) = match format_written(call, cx) {
        Ok(format) => (format, Ok(())),
        Err(wrong) => ((LogEscape::Default, Template::default()), Err(wrong)),
    };
    let (escape, text) = format;
    cx.log_formats.push(LogFormat { name: name.to_owned(), escape, text });
    outcome
}

fn format_written(call: &Call<'_>, cx: &mut Cx<'_>) -> Result<(LogEscape, Template), Diagnostic> {
    let mut texts = &call.args()[1..];
    let mut escape = LogEscape::Default;
    if let Some(word) = call.text(1).strip_prefix("escape=") {
        escape = match word {
            "default" => LogEscape::Default,
            "json" => LogEscape::Json,
            "none" => LogEscape::None,
            _ => return Err(call.invalid(1, "it must be escape=default, escape=json or escape=none")),
        };
        texts = &texts[1..];
    }
    let mut parts = Vec::new();
    for word in texts {
        let template = cx.template(word)?;
        if let Some(Part::Capture(number)) = template.parts.iter().find(|part| matches!(part, Part::Capture(_))) {
            let message = format!("unknown variable \"${number}\": a log has no groups of a regular expression");
            let help = "give the group a name: (?<name>...)";
            return Err(Diagnostic::error("unknown-variable", &word.place, message).help(help));
        }
        parts.extend(template.parts);
    }
    Ok((escape, Template { parts }))
}

fn access_log(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    if call.first {
        level.settings.access_logs.clear();
        level.access_log_off = false;
    }
    if call.text(0) == "off" {
        level.settings.access_logs.clear();
        level.access_log_off = true;
        return match call.args().get(1) {
            Some(_) => Err(call.invalid(1, "nothing may follow \"off\"")),
            None => Ok(()),
        };
    }
    let to = match call.text(0) {
        text if text.starts_with("syslog:") => LogTarget::Syslog(syslog(call, cx)?),
        text if text.contains('$') => return Err(call.not_yet(0, "variables in the path of a log")),
        text => {
            let path = cx.options.prefix.join(text);
            cx.writes(&path, "access_log", &call.word(0).place);
            LogTarget::File(path)
        }
    };
    let format = call.args().get(1).map_or(Ok(None), |_| format_of(call, cx))?;
    let (condition, level_of_gzip) = parameters(call, &to, cx)?;
    let to = match (to, level_of_gzip) {
        (LogTarget::File(path), Some(level)) => LogTarget::Packed(path, level),
        (to, _) => to,
    };
    // As in nginx, `off` holds for its block, whatever stands beside it.
    let number = cx.access_log(AccessLog { to, format, condition });
    if !level.access_log_off {
        level.settings.access_logs.push(number);
    }
    Ok(())
}

/// The index of the format that is named; none for `combined`.
fn format_of(call: &Call<'_>, cx: &Cx<'_>) -> Result<Option<usize>, Diagnostic> {
    let name = call.text(1);
    if name == COMBINED {
        return Ok(None);
    }
    if let Some(index) = cx.log_formats.iter().position(|format| format.name == name) {
        return Ok(Some(index));
    }
    let wrong = Diagnostic::error(
        "unknown-log-format",
        &call.word(1).place,
        format!("unknown log format \"{}\"", call.word(1).shown()),
    );
    let is_parameter = name == "gzip" || ["buffer=", "flush=", "if=", "gzip="].iter().any(|p| name.starts_with(p));
    if is_parameter {
        return Err(wrong.help("the format stands before the parameters: write \"combined\" there"));
    }
    let names = cx.log_formats.iter().map(|format| format.name.as_str()).chain([COMBINED]);
    Err(match suggest::nearest(name, names) {
        Some(near) => wrong.help(format!("did you mean \"{near}\"?")),
        None => wrong.help("a \"log_format\" of this name must stand above"),
    })
}

/// What follows the format: the condition, the level of gzip, and the sizes of a buffer that is not needed here.
fn parameters(
    call: &Call<'_>,
    to: &LogTarget,
    cx: &mut Cx<'_>,
) -> Result<(Option<crate::template::Template>, Option<u8>), Diagnostic> {
    let (mut condition, mut gzip) = (None, None);
    let (mut size, mut flush_ms) = (None, None);
    for (index, word) in call.args().iter().enumerate().skip(2) {
        if let Some(text) = word.behind("if=") {
            condition = Some(cx.template(&text)?);
            continue;
        }
        match word.text.split_once('=') {
            Some(("buffer", text)) => {
                let bytes = value::size(text).map_err(|error| call.invalid(index, error))?;
                size = Some(if bytes > 0 { bytes } else { return Err(call.invalid(index, "a buffer has a size")) });
            }
            Some(("flush", text)) => {
                let ms = value::time_ms(text).map_err(|error| call.invalid(index, error))?;
                flush_ms = Some(if ms > 0 { ms } else { return Err(call.invalid(index, "it must not be 0")) });
            }
            Some(("gzip", text)) => {
                let level = value::number(text, 1, 9).map_err(|error| call.invalid(index, error))?;
                gzip = u8::try_from(level).ok();
            }
            None if word.text == "gzip" => gzip = Some(1),
            _ => {
                return Err(call.unknown_word(index, "parameter of access_log", ["if=", "buffer=", "flush=", "gzip="]));
            }
        }
    }
    if gzip.is_some() {
        size = size.or(Some(GZIP_BUFFER));
    }
    match (size, flush_ms, to) {
        (None, None, _) => {}
        (None, Some(_), _) => return Err(call.invalid(0, "\"flush\" needs a \"buffer\"")),
        (Some(size), _, LogTarget::File(path)) => cx.same_log_buffer(path, (size, flush_ms, gzip), call.word(0))?,
        (Some(_), ..) => return Err(call.invalid(0, "a log to syslog has no \"buffer\"")),
    }
    Ok((condition, gzip))
}

/// `error_log FILE|stderr|syslog:... [LEVEL]`.
fn error_log(call: &Call<'_>, cx: &mut Cx<'_>) -> Result<ErrorLog, Diagnostic> {
    let to = match call.text(0) {
        "stderr" => LogTarget::Stderr,
        text if text.starts_with("syslog:") => LogTarget::Syslog(syslog(call, cx)?),
        text if text.starts_with("memory:") => return Err(call.not_yet(0, "logging to memory")),
        text => {
            let path = cx.options.prefix.join(text);
            cx.writes(&path, "error_log", &call.word(0).place);
            LogTarget::File(path)
        }
    };
    let level = match call.args().get(1) {
        None => LogLevel::Error,
        Some(word) => match LEVELS.iter().find(|(name, _)| *name == word.text) {
            Some((_, level)) => *level,
            None => return Err(call.unknown_word(1, "log level", LEVELS.iter().map(|(name, _)| *name))),
        },
    };
    Ok(ErrorLog { to, level })
}

/// `syslog:server=ADDRESS[,facility=NAME][,tag=NAME][,severity=NAME][,nohostname]`.
fn syslog(call: &Call<'_>, cx: &mut Cx<'_>) -> Result<Syslog, Diagnostic> {
    let text = call.text(0).strip_prefix("syslog:").unwrap_or_default();
    let (mut server, mut facility, mut severity, mut tag) = (None, None, None, None);
    let mut has_hostname = true;
    let once = |slot: &mut Option<_>, name, value| match slot.replace(value) {
        Some(_) => Err(call.invalid(0, format!("\"{name}\" is there twice"))),
        None => Ok(()),
    };
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("server", value)) => once(&mut server, "server", value)?,
            Some(("facility", value)) => once(&mut facility, "facility", value)?,
            Some(("severity", value)) => once(&mut severity, "severity", value)?,
            Some(("tag", value)) => once(&mut tag, "tag", value)?,
            None if part == "nohostname" => has_hostname = false,
            _ => return Err(call.invalid(0, format!("\"{part}\" is no parameter of syslog"))),
        }
    }
    let Some(server) = server else { return Err(call.invalid(0, "the server is missing: server=ADDRESS")) };
    let number = |kind: &str, name: Option<&str>, names: &mut dyn Iterator<Item = &str>, default: u8| match name {
        None => Ok(default),
        Some(name) => (0..)
            .zip(names)
            .find(|(_, known)| *known == name)
            .map(|(number, _)| number)
            .ok_or_else(|| call.invalid(0, format!("\"{name}\" is no {kind} of syslog"))),
    };
    let facility = number("facility", facility, &mut FACILITIES.into_iter(), LOCAL7)?;
    let severity = number("severity", severity, &mut LEVELS.iter().map(|(name, _)| *name), LogLevel::Info as u8)?;
    let tag = tag.unwrap_or("nginx");
    if tag.len() > TAG_MAX || !tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(call.invalid(0, format!("a tag has up to {TAG_MAX} letters, digits and underscores")));
    }
    // As in nginx, of several addresses the first.
    let addresses = cx.peer_addresses(call, server, SYSLOG_PORT)?;
    let server = addresses.into_iter().next().ok_or_else(|| call.invalid(0, "the server has no address"))?;
    Ok(Syslog { server, facility, severity, tag: tag.to_owned(), has_hostname })
}
