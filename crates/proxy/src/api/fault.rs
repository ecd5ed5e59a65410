//! What is wrong with a request to `api`, as the documentation's error object has it.

use serde_json::{Value, json};

use crate::downstream::After;

/// Why there is nothing to show.
#[derive(Debug)]
pub(super) enum Fault {
    /// The client is told.
    Told(Told),
    /// The client is gone.
    Gone(After),
}

/// What the client is told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) text: String,
}

/// Where the interface is described.
const HREF: &str = "https://nginx.org/en/docs/http/ngx_http_api_module.html";

impl Told {
    /// The error object.
    pub(super) fn object(&self, request_id: &str) -> Value {
        let Self { status, code, text } = self;
        json!({"error": {"status": status, "text": text, "code": code}, "request_id": request_id, "href": HREF})
    }
}

pub(super) fn told(status: u16, code: &'static str, text: impl Into<String>) -> Fault {
    Fault::Told(Told { status, code, text: text.into() })
}

/// Something that is not there.
pub(super) fn not_found(text: impl Into<String>, code: &'static str) -> Fault {
    told(404, code, text)
}

/// A request that cannot be understood or done.
pub(super) fn bad(code: &'static str, text: impl Into<String>) -> Fault {
    told(400, code, text)
}

/// A path that leads nowhere.
pub(super) fn no_path() -> Fault {
    not_found("path not found", "PathNotFound")
}

/// A method that is not for this path, or not allowed here.
pub(super) fn method_disabled() -> Fault {
    told(405, "MethodDisabled", "method disabled")
}
