//! Which options there are.

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is read.
    Served,
    /// k6 has it for services of its own, and so has nothing to do with it here.
    Ignored,
    /// k6 has it, bedloe has not, for this reason.
    Unserved(&'static str),
    /// Nobody has it.
    Unknown,
}

const SERVED: [&str; 36] = [
    "batch",
    "batchPerHost",
    "blacklistIPs",
    "blockHostnames",
    "discardResponseBodies",
    "dns",
    "duration",
    "executionSegment",
    "executionSegmentSequence",
    "hosts",
    "httpDebug",
    "insecureSkipTLSVerify",
    "iterations",
    "maxRedirects",
    "minIterationDuration",
    "noConnectionReuse",
    "noCookiesReset",
    "noSetup",
    "noTeardown",
    "noVUConnectionReuse",
    "rps",
    "scenarios",
    "setupTimeout",
    "stages",
    "summaryTimeUnit",
    "summaryTrendStats",
    "systemTags",
    "tags",
    "teardownTimeout",
    "thresholds",
    "throw",
    "tlsAuth",
    "tlsCipherSuites",
    "tlsVersion",
    "userAgent",
    "vus",
];
const IGNORED: [&str; 5] = ["cloud", "collectors", "ext", "metricSamplesBufferSize", "noUsageReport"];
const UNSERVED: [(&str, &str); 3] = [
    ("linger", "there is no API to keep alive"),
    ("localIPs", "requests leave from the address that the system chooses"),
    ("paused", "there is no API to go on with"),
];

pub(super) fn find(name: &str) -> Known {
    if SERVED.contains(&name) {
        return Known::Served;
    }
    if IGNORED.contains(&name) {
        return Known::Ignored;
    }
    UNSERVED.iter().find(|(each, _)| *each == name).map_or(Known::Unknown, |(_, why)| Known::Unserved(why))
}
