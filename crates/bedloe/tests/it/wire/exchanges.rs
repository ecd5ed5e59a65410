//! What takes more than one step: expectations, pipelining, persistence, the connection's end.

use super::run::play;
use super::script::{
    ANSWER, ANSWER_SEEN, GET, GET_SEEN, Step, answers, forwarded, forwarded_last, get, get_seen, gets, post, post_seen,
    row, sees, sends,
};

const EXPECT: &str = "Expect: 100-continue\r\nContent-Length: 2\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

#[test]
fn rfc_9110_10_1_1_expectations() {
    let two = post_seen("Content-Length: 2\r\n", "hi");
    play(&[
        row(
            "9110 10.1.1: who expects to be told to go on is told, and the balancer does not expect it",
            [sends(post(EXPECT, "")), gets(CONTINUE), sends("hi"), sees(&two), answers(ANSWER), gets(ANSWER_SEEN)],
        ),
        row(
            "9110 10.1.1: in any letters",
            [
                sends(post("eXPECT: 100-CONTINUE\r\nContent-Length: 2\r\n", "")),
                gets(CONTINUE),
                sends("hi"),
                sees(&two),
                answers(ANSWER),
                gets(ANSWER_SEEN),
            ],
        ),
        forwarded_last(
            "9110 10.1.1: not in HTTP/1.0",
            "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
            &two,
        ),
        forwarded("9110 10.1.1: not where there is no body", get("Expect: 100-continue\r\n"), GET_SEEN),
        row(
            "9110 10.1.1: not where the request is refused by its head",
            [sends(format!("POST /two/ HTTP/1.1\r\nHost: a\r\n{}\r\n", EXPECT.replace('2', "3"))), Step::Page(413)],
        ),
        forwarded(
            "9110 10.1.1: an expectation that nobody knows is none",
            post("Expect: x\r\nContent-Length: 2\r\n", "hi"),
            &two,
        ),
    ]);
}

#[test]
fn rfc_9112_9_connections() {
    let kept = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let closing = get("Connection: close\r\n");
    play(&[
        row("9112 9.3: HTTP/1.1 goes on", twice(GET, ANSWER_SEEN)),
        row("9112 9.3: HTTP/1.0 goes on if it asks to", twice(kept, ANSWER_SEEN)),
        forwarded_last("9112 9.3: else it does not", "GET / HTTP/1.0\r\n\r\n", GET_SEEN),
        forwarded_last("9112 9.6: close is kept to", &closing, GET_SEEN),
        forwarded_last(
            "9112 9.6: in any letters, among others, in the second field",
            get("Connection: x\r\nConnection: y, CLOSE\r\n"),
            GET_SEEN,
        ),
        forwarded_last(
            "9112 9.6: close is stronger than keep-alive",
            get("Connection: keep-alive, close\r\n"),
            GET_SEEN,
        ),
        forwarded_last("9112 9.6: nothing behind it is served", format!("{closing}{GET}"), GET_SEEN),
        row(
            "9112 9.6: an upstream's close is not the client's",
            [
                sends(GET),
                sees(GET_SEEN),
                answers(ANSWER.replace("hi", "").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\nhi")),
                gets(ANSWER_SEEN),
                sends(GET),
                sees(GET_SEEN),
                answers(ANSWER),
                gets(ANSWER_SEEN),
            ],
        ),
        row("9112 9.3.2: answers come in the order of the requests", pipelined()),
        row(
            "9112 9.3.2: a refused request ends the pipeline behind the answers before it",
            [
                sends(format!("{GET}{}{GET}", get("X : 1\r\n"))),
                sees(GET_SEEN),
                answers(ANSWER),
                gets(ANSWER_SEEN),
                Step::Page(400),
            ],
        ),
        row("9112 9.5: a client that has gone is not answered", [Step::Finishes, Step::Closes]),
    ]);
}

/// A request and its answer, twice over one connection.
fn twice(request: &str, got: &str) -> Vec<Step> {
    let once = [sends(request), sees(GET_SEEN), answers(ANSWER), gets(got)];
    [once.clone(), once].concat()
}

fn pipelined() -> Vec<Step> {
    let fields = ["X: 1\r\n", "X: 2\r\n", "X: 3\r\n"];
    let mut steps = vec![sends(fields.map(get).concat())];
    for (number, fields) in fields.into_iter().enumerate() {
        let length = format!("Content-Length: 1\r\n\r\n{number}");
        steps.push(sees(get_seen(fields)));
        steps.push(answers(format!("HTTP/1.1 200 OK\r\n{length}")));
        steps.push(gets(ANSWER_SEEN.replace("Length: 2", "Length: 1").replace("hi", &number.to_string())));
    }
    steps
}

#[test]
fn rfc_9110_7_6_2_max_forwards() {
    let options = |fields: &str| format!("OPTIONS / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let seen = |fields: &str| format!("OPTIONS / HTTP/1.1\r\nHost: app\r\n{fields}\r\n");
    let answered = "HTTP/1.1 204 No Content\r\nServer: bedloe\r\nConnection: keep-alive\r\n\r\n";
    play(&[
        row(
            "9110 7.6.2: OPTIONS that may go no further is answered here",
            [sends(options("Max-Forwards: 0\r\n")), gets(answered)],
        ),
        forwarded(
            "9110 7.6.2: any other is one hop nearer",
            options("Max-Forwards: 10\r\n"),
            seen("Max-Forwards: 9\r\n"),
        ),
        forwarded(
            "9110 7.6.2: what is no number does not count",
            options("Max-Forwards: x\r\n"),
            seen("Max-Forwards: x\r\n"),
        ),
        forwarded(
            "9110 7.6.2: nor does it for another method",
            get("Max-Forwards: 0\r\n"),
            get_seen("Max-Forwards: 0\r\n"),
        ),
    ]);
}
