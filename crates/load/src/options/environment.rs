//! Options from the environment: `K6_VUS=10`.

use serde_json::{Value as Json, json};

use super::{Layer, Wrong, wrong};

/// How a text becomes a value.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Number,
    Flag,
    Text,
    /// Parts with commas between them.
    List,
    /// `30s:10,1m:0`.
    Stages,
}

const VARIABLES: [(&str, &str, Shape); 32] = [
    ("K6_VUS", "vus", Shape::Number),
    ("K6_DURATION", "duration", Shape::Text),
    ("K6_ITERATIONS", "iterations", Shape::Number),
    ("K6_STAGES", "stages", Shape::Stages),
    ("K6_EXECUTION_SEGMENT", "executionSegment", Shape::Text),
    ("K6_EXECUTION_SEGMENT_SEQUENCE", "executionSegmentSequence", Shape::Text),
    ("K6_NO_SETUP", "noSetup", Shape::Flag),
    ("K6_NO_TEARDOWN", "noTeardown", Shape::Flag),
    ("K6_SETUP_TIMEOUT", "setupTimeout", Shape::Text),
    ("K6_TEARDOWN_TIMEOUT", "teardownTimeout", Shape::Text),
    ("K6_RPS", "rps", Shape::Number),
    ("K6_DNS", "dns", Shape::Text),
    ("K6_MAX_REDIRECTS", "maxRedirects", Shape::Number),
    ("K6_USER_AGENT", "userAgent", Shape::Text),
    ("K6_BATCH", "batch", Shape::Number),
    ("K6_BATCH_PER_HOST", "batchPerHost", Shape::Number),
    ("K6_HTTP_DEBUG", "httpDebug", Shape::Text),
    ("K6_INSECURE_SKIP_TLS_VERIFY", "insecureSkipTLSVerify", Shape::Flag),
    ("K6_THROW", "throw", Shape::Flag),
    ("K6_BLACKLIST_IPS", "blacklistIPs", Shape::List),
    ("K6_BLOCK_HOSTNAMES", "blockHostnames", Shape::List),
    ("K6_MIN_ITERATION_DURATION", "minIterationDuration", Shape::Text),
    ("K6_NO_CONNECTION_REUSE", "noConnectionReuse", Shape::Flag),
    ("K6_NO_VU_CONNECTION_REUSE", "noVUConnectionReuse", Shape::Flag),
    ("K6_NO_COOKIES_RESET", "noCookiesReset", Shape::Flag),
    ("K6_SUMMARY_TREND_STATS", "summaryTrendStats", Shape::List),
    ("K6_SUMMARY_TIME_UNIT", "summaryTimeUnit", Shape::Text),
    ("K6_SYSTEM_TAGS", "systemTags", Shape::List),
    ("K6_DISCARD_RESPONSE_BODIES", "discardResponseBodies", Shape::Flag),
    ("K6_LOCAL_IPS", "localIPs", Shape::Text),
    ("K6_PAUSED", "paused", Shape::Flag),
    ("K6_LINGER", "linger", Shape::Flag),
];

/// The options that the variables name.
pub fn layer(find: impl Fn(&str) -> Option<String>) -> Result<Layer, Wrong> {
    let mut layer = Layer::new();
    for (variable, name, shape) in VARIABLES {
        let Some(text) = find(variable).filter(|text| !text.is_empty()) else { continue };
        let Some(value) = shape.read(&text) else {
            return wrong(format!("{variable}: `{text}` is no {}", shape.noun()));
        };
        layer.insert(name.to_owned(), value);
    }
    Ok(layer)
}

/// Stages as the command line and the environment write them.
pub(super) fn stages(text: &str) -> Option<Json> {
    let stage = |part: &str| {
        let (duration, target) = part.trim().split_once(':')?;
        crate::duration::parse(duration).ok()?;
        Some(json!({ "duration": duration, "target": target.parse::<u64>().ok()? }))
    };
    text.split(',').map(stage).collect::<Option<Vec<Json>>>().map(Json::Array)
}

impl Shape {
    fn read(self, text: &str) -> Option<Json> {
        match self {
            Self::Number => text.parse::<i64>().ok().map(Json::from),
            Self::Flag => match text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Json::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Json::Bool(false)),
                _ => None,
            },
            Self::Text => Some(Json::from(text)),
            Self::List => Some(text.split(',').map(|part| Json::from(part.trim())).collect()),
            Self::Stages => stages(text),
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Number => "whole number",
            Self::Flag => "true or false",
            Self::Text => "text",
            Self::List => "list",
            Self::Stages => "list of stages, such as 30s:10,1m:0",
        }
    }
}
