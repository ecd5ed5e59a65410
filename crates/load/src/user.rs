//! A virtual user: what an iteration is, and what it leaves behind for the next one.

use std::rc::Rc;

use net::clock::now_ns;

use crate::desk::Desk;
use crate::exchange::{Client, Exchange};
use crate::metric::{IterationSample, Recorder, RequestSample, TagsId, Who};
use crate::plan::Source;
use crate::request::Request;
use crate::seat::{Order, Seat};

/// One user; it belongs to a thread, and does iterations of any scenario.
#[derive(Debug)]
pub(crate) struct User {
    /// Its number in the test, from 1.
    number: u64,
    /// Iterations begun.
    iterations: u64,
    mind: Mind,
}

/// What a user works with.
#[derive(Debug)]
enum Mind {
    /// A connection.
    Plain(Box<Client>),
}

impl User {
    /// Makes a user.
    pub(crate) fn new(number: u64, desk: &Rc<Desk>) -> Self {
        let mind = match &desk.plan.source {
            Source::Plain(_) => Mind::Plain(Box::new(Client::new(Rc::clone(&desk.recorder)))),
        };
        Self { number, iterations: 0, mind }
    }

    /// Does one iteration and records it; `false` if it was cut off.
    pub(crate) async fn iterate(&mut self, desk: &Desk, tags: TagsId, order: Order, seat: &Seat) -> bool {
        let who = Who { vu: self.number, iter: self.iterations };
        self.iterations += 1;
        let began_ns = now_ns();
        let (first_over_ns, ended_ns) = match &mut self.mind {
            Mind::Plain(client) => {
                let Source::Plain(request) = &desk.plan.source;
                client.account(tags, who);
                let exchange = tokio::select! {
                    biased;
                    exchange = client.exchange(request, began_ns) => exchange,
                    () = seat.until_cut_off() => return false,
                };
                record(&exchange, request, &desk.recorder, tags, who);
                // A plain iteration is its one request.
                (Some(exchange.ended_ns), exchange.ended_ns)
            }
        };
        let iteration = IterationSample { due_ns: order.due_ns, began_ns, first_over_ns, ended_ns };
        desk.recorder.iteration(&iteration, tags, who);
        true
    }
}

fn record(exchange: &Exchange, request: &Request, recorder: &Recorder, base: TagsId, who: Who) {
    let Exchange { timings, status, failure, ended_ns } = exchange;
    let error_code = failure.as_ref().map_or(0, |failure| failure.code);
    let failed = failure.is_some();
    let (mut status_digits, mut code_digits) = ([0; 5], [0; 5]);
    let tags = recorder.tags(
        base,
        &[
            ("error", failure.as_ref().filter(|failure| !failure.is_status()).map_or("", |failure| &failure.text)),
            ("error_code", if error_code == 0 { "" } else { digits(error_code, &mut code_digits) }),
            ("expected_response", if failed { "false" } else { "true" }),
            ("method", "GET"),
            ("name", &request.url),
            ("proto", if *status == 0 { "" } else { "HTTP/1.1" }),
            ("status", digits(*status, &mut status_digits)),
            ("url", &request.url),
        ],
    );
    let sample = RequestSample { timings: *timings, ended_ns: *ended_ns, failed: Some(failed), error_code };
    recorder.request(&sample, tags, who);
    if let Some(failure) = failure {
        recorder.failed(failure);
    }
}

/// A number as text, without allocating.
fn digits(mut number: u16, buffer: &mut [u8; 5]) -> &str {
    let mut at = buffer.len();
    while at == buffer.len() || number > 0 {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    std::str::from_utf8(&buffer[at..]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_written() {
        let texts = [0, 7, 200, 1050, 65_535].map(|number| super::digits(number, &mut [0; 5]).to_owned());
        assert_eq!(texts, ["0", "7", "200", "1050", "65535"]);
    }
}
