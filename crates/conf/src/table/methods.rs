//! Directives of an upstream for how a server is chosen, and for the zone that workers of nginx share.

use super::tls::LEAST_ZONE_BYTES;
use super::{Apply, Contexts, Directive, Takes};
use crate::Diagnostic;
use crate::build::{Call, Cx, Outcome, UpstreamDraft};
use crate::tree::{Algorithm, AnswerTime, Two};
use crate::value;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "hash",
        contexts: Contexts::UPSTREAM,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "",
        doc: "Chooses a server by the hash of a key, on a ring with \"consistent\".",
        example: "hash $request_uri consistent;",
        apply: Apply::Upstream(|draft, call, cx| {
            if call.args().len() == 2 && call.text(1) != "consistent" {
                return Err(call.unknown_word(1, "parameter of \"hash\"", ["consistent"]));
            }
            let consistent = call.args().len() == 2;
            let algorithm = Algorithm::Hash { key: cx.template(call.word(0))?, consistent };
            draft.hash_place = Some(call.node.name.place.clone());
            choose(draft, call, cx, algorithm)
        }),
    },
    Directive {
        name: "ip_hash",
        contexts: Contexts::UPSTREAM,
        takes: Takes::exactly(0),
        repeats: false,
        default: "",
        doc: "Chooses a server by the client's address, of IPv4 by its first three bytes.",
        example: "ip_hash;",
        apply: Apply::Upstream(|draft, call, cx| choose(draft, call, cx, Algorithm::IpHash)),
    },
    Directive {
        name: "least_conn",
        contexts: Contexts::UPSTREAM,
        takes: Takes::exactly(0),
        repeats: false,
        default: "",
        doc: "Chooses the server with the fewest requests in flight for its weight.",
        example: "least_conn;",
        apply: Apply::Upstream(|draft, call, cx| choose(draft, call, cx, Algorithm::LeastConn)),
    },
    Directive {
        name: "least_time",
        contexts: Contexts::UPSTREAM,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "",
        doc: "Chooses the server with the least mean time of its answers, to their head (header) or end (last_byte), \
              and the fewest requests in flight, for its weight; inflight: requests count that wait longer.",
        example: "least_time header inflight;",
        apply: Apply::Upstream(|draft, call, cx| {
            let time = match call.text(0) {
                "header" => AnswerTime::Header,
                "last_byte" => AnswerTime::LastByte,
                _ => return Err(call.unknown_word(0, "time of \"least_time\"", ["header", "last_byte"])),
            };
            if call.args().len() == 2 && call.text(1) != "inflight" {
                return Err(call.unknown_word(1, "parameter of \"least_time\"", ["inflight"]));
            }
            choose(draft, call, cx, Algorithm::LeastTime { time, inflight: call.args().len() == 2 })
        }),
    },
    Directive {
        name: "random",
        contexts: Contexts::UPSTREAM,
        takes: Takes::between(0, 2),
        repeats: false,
        default: "",
        doc: "Chooses a server by chance, or with \"two\" the one of two with fewer requests in flight (least_conn), \
              the one that answers sooner (least_time=header, least_time=last_byte), or that by its slowest answers \
              (peak_ewma).",
        example: "random two least_conn;",
        apply: Apply::Upstream(|draft, call, cx| {
            if !call.args().is_empty() && call.text(0) != "two" {
                return Err(call.unknown_word(0, "parameter of \"random\"", ["two"]));
            }
            let two = match call.text(1) {
                _ if call.args().is_empty() => None,
                _ if call.args().len() == 1 => Some(Two::LeastConn),
                "least_conn" => Some(Two::LeastConn),
                "least_time=header" => Some(Two::LeastTime(AnswerTime::Header)),
                "least_time=last_byte" => Some(Two::LeastTime(AnswerTime::LastByte)),
                "peak_ewma" => Some(Two::PeakEwma),
                _ => return Err(call.unknown_word(1, "way to choose one of two", WAYS_OF_TWO)),
            };
            choose(draft, call, cx, Algorithm::Random { two })
        }),
    },
    Directive {
        name: "zone",
        contexts: Contexts::UPSTREAM,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "",
        doc: "Lets \"api\" show and change the upstream; threads share what is known of servers in any case.",
        example: "zone app 64k;",
        apply: Apply::Upstream(zone),
    },
];

const WAYS_OF_TWO: [&str; 4] = ["least_conn", "least_time=header", "least_time=last_byte", "peak_ewma"];

/// Sets the algorithm. As in nginx, the last one holds, with a warning.
fn choose(draft: &mut UpstreamDraft, call: &Call<'_>, cx: &mut Cx<'_>, algorithm: Algorithm) -> Outcome {
    let place = &call.node.name.place;
    if let Some((earlier, _)) = draft.method.replace((call.name, place.clone())) {
        let message = format!("\"{}\" takes the place of \"{earlier}\", which is written before it", call.name);
        cx.report(Diagnostic::warning("method-redefined", place, message).help("write one way to choose a server"));
    }
    if call.name != "hash" {
        draft.hash_place = None;
    }
    draft.algorithm = algorithm;
    Ok(())
}

fn zone(draft: &mut UpstreamDraft, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let word = call.word(0);
    if word.text.is_empty() {
        return Err(call.invalid(0, "a zone has a name"));
    }
    match call.args().get(1) {
        Some(size) => {
            let bytes = value::size(&size.text).map_err(|error| call.invalid(1, error))?;
            if bytes < LEAST_ZONE_BYTES {
                return Err(call.invalid(1, "the zone must have at least 32k"));
            }
            cx.same_zone(&word.text, bytes, word)?;
        }
        None => cx.zone_without_size(word),
    }
    draft.zone = Some(word.text.clone());
    Ok(())
}
