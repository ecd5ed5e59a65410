//! Pages about the balancer, as its locations (`stub_status;`, `prometheus;`) and its admin address have them.

use conf::tree::Page;
use proxy::{PageAsked, PageMade, Status};

use crate::dashboard::{self, Dashboard};
use crate::exposition::{self, Process};

/// Makes them.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) dashboard: Dashboard,
}

impl proxy::Pages for Pages {
    fn make(&self, asked: PageAsked<'_>, status: &dyn Fn() -> Status) -> PageMade {
        match asked.page {
            Page::StubStatus => {
                PageMade { media_type: "text/plain", fields: String::new(), body: stub_status(&status()).into_bytes() }
            }
            Page::Prometheus => {
                let body = metrics(&status()).into_bytes();
                PageMade { media_type: ::metrics::exposition::CONTENT_TYPE, fields: String::new(), body }
            }
            Page::Dashboard => {
                let now_ms = net::clock::now_ms();
                if !self.dashboard.has_looked() {
                    self.dashboard.look(status(), now_ms, net::clock::unix_ms());
                }
                let (media_type, body) = self.dashboard.answer(asked.query, now_ms);
                let fields = format!(
                    "Content-Security-Policy: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
                    dashboard::FIELD_POLICY
                );
                PageMade { media_type, fields, body: body.into_bytes() }
            }
        }
    }
}

/// What Prometheus scrapes.
pub(crate) fn metrics(status: &Status) -> String {
    exposition::text(status, &Process::read(status))
}

/// The text of nginx's page, to the space at the end of its lines. What is handled is all that was accepted.
fn stub_status(status: &Status) -> String {
    let Status { connections, accepted, requests, reading, writing, waiting, .. } = status;
    format!(
        "Active connections: {connections} \nserver accepts handled requests\n {accepted} {accepted} {requests} \n\
         Reading: {reading} Writing: {writing} Waiting: {waiting} \n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stub_status_is_nginx_s() {
        let status = Status { connections: 3, accepted: 5, requests: 9, writing: 1, waiting: 2, ..Status::default() };
        let expected = "Active connections: 3 \nserver accepts handled requests\n 5 5 9 \n\
                        Reading: 0 Writing: 1 Waiting: 2 \n";
        assert_eq!(stub_status(&status), expected);
    }
}
