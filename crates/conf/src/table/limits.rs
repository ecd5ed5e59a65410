//! Directives that limit requests and connections by a key.

use super::{Apply, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::build::{Call, Cx, Inherited, NamedZone, Outcome, zone_named};
use crate::tree::{LimitZone, LogLevel, RateLimit, Refusal};
use crate::value;

/// Limits of one level: each is looked up for every request.
const LIMITS_MAX: usize = 64;
/// A zone of less has room for next to nothing; nginx's own bound is 8 pages.
const ZONE_MIN: u64 = 32 << 10;
/// In thousandths, so that sums never overflow.
const NUMBER_MAX: u64 = 1_000_000_000;

const LEVELS: [&str; 4] = ["info", "notice", "warn", "error"];

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "limit_req_zone",
        contexts: Contexts::HTTP,
        takes: Takes::between(3, 4),
        repeats: true,
        default: "",
        doc: "Counts requests by a key: the memory of its values, and how many requests of one leave in a second.",
        example: "limit_req_zone $binary_remote_addr zone=req:10m rate=10r/s;",
        apply: Apply::Inherited(|_, call, cx| {
            let zone = rate_zone(call, cx)?;
            declare(call, &mut cx.rate_zones, zone)
        }),
    },
    Directive {
        name: "limit_req",
        contexts: Contexts::REQUEST,
        takes: Takes::between(1, 3),
        repeats: true,
        default: "",
        doc: "Requests of a zone's key wait, up to a burst, until they may leave; more are refused.",
        example: "limit_req zone=one burst=20 nodelay;",
        apply: Apply::Inherited(limit_req),
    },
    Directive {
        name: "limit_req_status",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "503",
        doc: "The status of requests that are too many.",
        example: "limit_req_status 429;",
        apply: Apply::Inherited(|level, call, _| status(call, &mut level.settings.limits.of_rates)),
    },
    Directive {
        name: "limit_req_log_level",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "error",
        doc: "How the error log tells of requests that are too many; of those that wait, one level lower.",
        example: "limit_req_log_level warn;",
        apply: Apply::Inherited(|level, call, _| log_level(call, &mut level.settings.limits.of_rates)),
    },
    Directive {
        name: "limit_req_dry_run",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether requests that are too many are told of, and served all the same.",
        example: "limit_req_dry_run on;",
        apply: Apply::Inherited(|level, call, _| dry_run(call, &mut level.settings.limits.of_rates)),
    },
    Directive {
        name: "limit_conn_zone",
        contexts: Contexts::HTTP,
        takes: Takes::exactly(2),
        repeats: true,
        default: "",
        doc: "Counts requests under way by a key: the memory of its values.",
        example: "limit_conn_zone $binary_remote_addr zone=conn:10m;",
        apply: Apply::Inherited(|_, call, cx| {
            let key = cx.template(call.word(0))?;
            let (name, bytes) = name_and_size(call, 1)?;
            declare(call, &mut cx.connection_zones, LimitZone { name, key, bytes, rate: 0 })
        }),
    },
    Directive {
        name: "limit_conn",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(2),
        repeats: true,
        default: "",
        doc: "The most requests of a zone's key that are under way at a time.",
        example: "limit_conn one 10;",
        apply: Apply::Inherited(|level, call, cx| {
            let most = call.number_to(1, 1, 65_535)?;
            let zone = zone_named(&mut cx.connection_zones, call.text(0), call.word(0));
            let limits = &mut level.settings.limits.connections;
            if call.first {
                limits.clear();
            }
            check_room(call, limits.iter().map(|(zone, _)| *zone), zone)?;
            limits.push((zone, most));
            Ok(())
        }),
    },
    Directive {
        name: "limit_conn_status",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "503",
        doc: "The status of requests beyond the most.",
        example: "limit_conn_status 429;",
        apply: Apply::Inherited(|level, call, _| status(call, &mut level.settings.limits.of_connections)),
    },
    Directive {
        name: "limit_conn_log_level",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "error",
        doc: "How the error log tells of requests beyond the most.",
        example: "limit_conn_log_level warn;",
        apply: Apply::Inherited(|level, call, _| log_level(call, &mut level.settings.limits.of_connections)),
    },
    Directive {
        name: "limit_conn_dry_run",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether requests beyond the most are told of, and served all the same.",
        example: "limit_conn_dry_run on;",
        apply: Apply::Inherited(|level, call, _| dry_run(call, &mut level.settings.limits.of_connections)),
    },
];

/// `limit_req_zone KEY zone=NAME:SIZE rate=Nr/s|Nr/m [sync]`.
fn rate_zone(call: &Call<'_>, cx: &mut Cx<'_>) -> Result<LimitZone, Diagnostic> {
    let key = cx.template(call.word(0))?;
    let (mut named, mut rate) = (None, None);
    for index in 1..call.args().len() {
        match call.text(index).split_once('=').map_or((call.text(index), ""), |(name, value)| (name, value)) {
            ("zone", _) => named = Some(name_and_size(call, index)?),
            ("rate", text) => rate = Some(thousandths(call, index, text)?),
            ("sync", "") => return Err(call.not_yet(index, "counts shared by machines")),
            _ => return Err(call.unknown_word(index, "parameter of \"limit_req_zone\"", ["zone=", "rate=", "sync"])),
        }
    }
    let (name, bytes) = named.ok_or_else(|| call.invalid(1, "write zone=NAME:SIZE, such as zone=one:10m"))?;
    let rate = rate.ok_or_else(|| call.invalid(1, "write rate=Nr/s or rate=Nr/m, such as rate=10r/s"))?;
    Ok(LimitZone { name, key, bytes, rate })
}

/// Requests a second, in thousandths: `10r/s` is 10,000, `30r/m` is 500.
fn thousandths(call: &Call<'_>, index: usize, text: &str) -> Result<u64, Diagnostic> {
    let wrong = || call.invalid(index, "a rate is written as 10r/s or 30r/m");
    let (digits, scale) = match text.split_once("r/") {
        Some((digits, "s")) => (digits, 1),
        Some((digits, "m")) => (digits, 60),
        _ => return Err(wrong()),
    };
    Ok(value::number(digits, 1, NUMBER_MAX).map_err(|_| wrong())? * 1000 / scale)
}

/// `zone=NAME:SIZE`.
pub(super) fn name_and_size(call: &Call<'_>, index: usize) -> Result<(String, u64), Diagnostic> {
    let wrong = || call.invalid(index, "write zone=NAME:SIZE, such as zone=one:10m");
    let (name, size) =
        call.text(index).strip_prefix("zone=").and_then(|rest| rest.split_once(':')).ok_or_else(wrong)?;
    let bytes = value::size(size).map_err(|_| wrong())?;
    match bytes {
        _ if name.is_empty() => Err(wrong()),
        0..ZONE_MIN => Err(call.invalid(index, format!("a zone has at least {}k", ZONE_MIN >> 10))),
        _ => Ok((name.to_owned(), bytes)),
    }
}

fn declare(call: &Call<'_>, zones: &mut Vec<NamedZone>, zone: LimitZone) -> Outcome {
    let index = zone_named(zones, &zone.name, call.word(1));
    if zones[index].zone.is_some() {
        let message = format!("the zone \"{}\" is declared already", zone.name);
        return Err(Diagnostic::error("duplicate-zone", &call.node.name.place, message));
    }
    zones[index].zone = Some(zone);
    Ok(())
}

/// `limit_req zone=NAME [burst=N] [nodelay|delay=N]`.
fn limit_req(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let (mut zone, mut burst, mut delay) = (None, 0, 0);
    for (index, word) in call.args().iter().enumerate() {
        let number = |text: &str| value::number(text, 1, NUMBER_MAX).map_err(|error| call.invalid(index, error));
        match word.text.split_once('=').map_or((word.text.as_str(), ""), |(name, value)| (name, value)) {
            ("zone", name) if !name.is_empty() => zone = Some(zone_named(&mut cx.rate_zones, name, word)),
            ("burst", text) => burst = number(text)? * 1000,
            ("delay", text) => delay = number(text)? * 1000,
            ("nodelay", "") => delay = u64::MAX,
            _ => {
                let words = ["zone=", "burst=", "delay=", "nodelay"];
                return Err(call.unknown_word(index, "parameter of \"limit_req\"", words));
            }
        }
    }
    let zone = zone.ok_or_else(|| call.invalid(0, "write zone=NAME, of a limit_req_zone"))?;
    let limits = &mut level.settings.limits.rates;
    if call.first {
        limits.clear();
    }
    check_room(call, limits.iter().map(|limit| limit.zone), zone)?;
    limits.push(RateLimit { zone, burst, delay });
    Ok(())
}

/// One limit a zone, and not too many of them.
fn check_room(call: &Call<'_>, mut zones: impl ExactSizeIterator<Item = usize>, zone: usize) -> Outcome {
    if zones.len() == LIMITS_MAX {
        return Err(call.invalid(0, format!("there are {LIMITS_MAX} of them already")));
    }
    if zones.any(|other| other == zone) {
        return Err(call.invalid(0, "this block has a limit of that zone already"));
    }
    Ok(())
}

fn status(call: &Call<'_>, refusal: &mut Refusal) -> Outcome {
    refusal.status = u16::try_from(call.number_to(0, 400, 599)?).unwrap_or(503);
    Ok(())
}

fn log_level(call: &Call<'_>, refusal: &mut Refusal) -> Outcome {
    refusal.log_level = match call.text(0) {
        "info" => LogLevel::Info,
        "notice" => LogLevel::Notice,
        "warn" => LogLevel::Warn,
        "error" => LogLevel::Error,
        _ => return Err(call.unknown_word(0, "level", LEVELS)),
    };
    Ok(())
}

fn dry_run(call: &Call<'_>, refusal: &mut Refusal) -> Outcome {
    refusal.is_dry_run = call.switch(0)?;
    Ok(())
}
