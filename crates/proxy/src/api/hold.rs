//! `hold`: who is at work on an upstream for some time, so that two who restart its servers meet before they begin.
//!
//! An agreement among those who ask for it: changes by others are not refused. It is kept in memory, over reloads, and
//! lapses by itself where its owner does not renew it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::edit::Fields;
use super::fault::{Fault, bad, told};
use crate::limits::{HOLD_OWNER_MAX, HOLD_SECONDS_MAX};

/// Who holds what, by the name of the upstream.
#[derive(Debug, Default)]
pub(crate) struct Holds(Mutex<HashMap<String, Hold>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Hold {
    owner: String,
    until_ms: u64,
}

/// What a request asks for.
struct Wanted {
    owner: String,
    /// 0 gives it back.
    seconds: u64,
}

impl Holds {
    /// Takes, renews or gives back a hold: what it is then. One of somebody else is left as it is.
    pub(super) fn change(&self, upstream: &str, body: &[u8], now_ms: u64) -> Result<Value, Fault> {
        let Wanted { owner, seconds } = Wanted::read(body)?;
        let mut holds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What has lapsed takes no room, though its upstream may be gone.
        holds.retain(|_, hold| hold.until_ms > now_ms);
        if let Some(hold) = holds.get(upstream).filter(|hold| hold.owner != owner) {
            let left = (hold.until_ms - now_ms).div_ceil(1_000);
            let text = format!("upstream \"{upstream}\" is held by {}, for {left} s unless renewed", hold.owner);
            return Err(told(409, "UpstreamHeld", text));
        }
        if seconds == 0 {
            holds.remove(upstream);
            return Ok(json!({}));
        }
        let hold = Hold { owner, until_ms: now_ms.saturating_add(seconds * 1_000) };
        let shown = hold.shown(now_ms);
        holds.insert(upstream.to_owned(), hold);
        Ok(shown)
    }

    /// Who holds an upstream.
    pub(super) fn shown(&self, upstream: &str, now_ms: u64) -> Value {
        let holds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hold = holds.get(upstream).filter(|hold| hold.until_ms > now_ms);
        hold.map_or_else(|| json!({}), |hold| hold.shown(now_ms))
    }
}

impl Hold {
    fn shown(&self, now_ms: u64) -> Value {
        json!({"owner": self.owner, "seconds": self.until_ms.saturating_sub(now_ms).div_ceil(1_000)})
    }
}

impl Wanted {
    fn read(body: &[u8]) -> Result<Self, Fault> {
        let Fields(fields) =
            serde_json::from_slice(body).map_err(|error| told(415, "JsonError", format!("JSON error: {error}")))?;
        let wrong = |what: &str| bad("UpstreamHoldFormatError", what);
        if let Some(name) = fields.keys().find(|name| !["owner", "seconds"].contains(&name.as_str())) {
            let shown: String = name.chars().take(64).collect();
            return Err(wrong(&format!("unknown parameter \"{shown}\"")));
        }
        let owner = fields.get("owner").and_then(Value::as_str).unwrap_or_default();
        if owner.is_empty() || owner.len() > HOLD_OWNER_MAX || owner.chars().any(char::is_control) {
            return Err(wrong(&format!("\"owner\" is a text of 1 to {HOLD_OWNER_MAX} bytes, in one line")));
        }
        let seconds = fields.get("seconds").and_then(Value::as_u64).filter(|seconds| *seconds <= HOLD_SECONDS_MAX);
        let seconds = seconds.ok_or_else(|| wrong(&format!("\"seconds\" is a number from 0 to {HOLD_SECONDS_MAX}")))?;
        Ok(Self { owner: owner.to_owned(), seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of an answer, and what it says.
    fn ask(holds: &Holds, body: &str, now_ms: u64) -> (u16, String) {
        match holds.change("u", body.as_bytes(), now_ms) {
            Ok(value) => (200, value.to_string()),
            Err(Fault::Told(told)) => (told.status, told.text),
            Err(Fault::Gone(_)) => panic!("nobody has left"),
        }
    }

    #[test]
    fn one_holds_until_it_is_given_back_or_lapses() {
        let holds = Holds::default();
        let held = |text: &str| (409, format!("upstream \"u\" is held by {text} s unless renewed"));
        let a = r#"{"owner":"a","seconds":20}"#;
        let b = r#"{"owner":"b","seconds":20}"#;
        assert_eq!(ask(&holds, a, 1_000), (200, a.into()));
        assert_eq!(ask(&holds, b, 5_500), held("a, for 16"));
        assert_eq!(ask(&holds, r#"{"owner":"b","seconds":0}"#, 5_500), held("a, for 16"));
        assert_eq!(ask(&holds, a, 6_000), (200, a.into()), "renewed");
        assert_eq!(holds.shown("u", 25_999), json!({"owner": "a", "seconds": 1}));
        assert_eq!((holds.shown("u", 26_000), holds.shown("v", 7_000)), (json!({}), json!({})));
        assert_eq!(ask(&holds, b, 26_000), (200, b.into()), "lapsed");
        assert_eq!(ask(&holds, a, 26_000), held("b, for 20"));
        assert_eq!(ask(&holds, r#"{"owner":"b","seconds":0}"#, 26_000), (200, "{}".into()));
        assert_eq!(ask(&holds, a, 26_000), (200, a.into()), "given back");
    }

    #[test]
    fn what_is_no_hold_is_refused() {
        let long = format!(r#"{{"owner":"{}","seconds":1}}"#, "a".repeat(HOLD_OWNER_MAX + 1));
        let table = [
            ("", 415),
            ("[]", 415),
            (r#"{"owner":"a","owner":"b","seconds":1}"#, 415),
            (r#"{"seconds":1}"#, 400),
            (r#"{"owner":"","seconds":1}"#, 400),
            (r#"{"owner":"a\nb","seconds":1}"#, 400),
            (r#"{"owner":"a"}"#, 400),
            (r#"{"owner":"a","seconds":-1}"#, 400),
            (r#"{"owner":"a","seconds":3601}"#, 400),
            (r#"{"owner":"a","seconds":1,"more":1}"#, 400),
            (&long, 400),
        ];
        for (body, status) in table {
            let holds = Holds::default();
            assert_eq!(ask(&holds, body, 0).0, status, "{body}");
            assert_eq!(holds.shown("u", 0), json!({}), "{body}");
        }
    }
}
