//! The ids of the built-in metrics: their places in [`super::BUILTINS`].

use super::MetricId;

macro_rules! ids {
    ($($name:ident = $at:literal $text:literal;)*) => {
        $(#[doc = concat!("`", $text, "`.")] pub const $name: MetricId = MetricId::builtin($at);)*
        /// All of them with their names.
        #[cfg(test)]
        pub(crate) const NAMES: [(MetricId, &str); 20] = [$(($name, $text)),*];
    };
}

ids! {
    CHECKS = 0 "checks";
    DATA_RECEIVED = 1 "data_received";
    DATA_SENT = 2 "data_sent";
    DROPPED_ITERATIONS = 3 "dropped_iterations";
    GROUP_DURATION = 4 "group_duration";
    HTTP_REQ_BLOCKED = 5 "http_req_blocked";
    HTTP_REQ_CONNECTING = 6 "http_req_connecting";
    HTTP_REQ_DURATION = 7 "http_req_duration";
    HTTP_REQ_FAILED = 8 "http_req_failed";
    HTTP_REQ_RECEIVING = 9 "http_req_receiving";
    HTTP_REQ_SENDING = 10 "http_req_sending";
    HTTP_REQ_TLS_HANDSHAKING = 11 "http_req_tls_handshaking";
    HTTP_REQ_WAITING = 12 "http_req_waiting";
    HTTP_REQS = 13 "http_reqs";
    ITERATION_DURATION = 14 "iteration_duration";
    ITERATIONS = 15 "iterations";
    SCHEDULED_DURATION = 16 "scheduled_duration";
    START_DELAY = 17 "start_delay";
    VUS = 18 "vus";
    VUS_MAX = 19 "vus_max";
}
