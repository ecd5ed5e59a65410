//! RFC 9113 4 to 6: frames, streams and their states, and what is wrong with each kind of frame.

use super::http2::{FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, Got, Move, PROTOCOL_ERROR, Row, STREAM_CLOSED, play};
use super::http2_messages::{answered, closed, gets, reset, row, seen, sends};
use super::script::ANSWER;
use crate::support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    block, frame, get, post, start,
};

const ACK: u8 = 1;
const PADDED: u8 = 8;
const PRIORITY_FLAG: u8 = 0x20;
const PUSH_PROMISE: u8 = 5;
const CANCEL: u32 = 8;
/// What h2 says where the RFC has a more exact word: FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR, COMPRESSION_ERROR or
/// STREAM_CLOSED. The connection ends all the same, and what was wrong goes nowhere.
const INEXACT: u32 = PROTOCOL_ERROR;

fn request() -> Vec<u8> {
    block(&start("GET", "/"))
}

#[test]
fn rfc_9113_4_frames() {
    let reserved = [frame(0xbe, 0xff, 0, b"x"), frame(0xbe, 0, 1, b""), get(1, "/", &[])].concat();
    let broken = frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff; 40]);
    let index = frame(HEADERS, END_STREAM | END_HEADERS, 1, &[&request()[..], &[0xbf]].concat());
    play(&[
        answered("4.1: a kind of frame that nobody knows is passed over", reserved),
        answered(
            "4.1: a flag without a meaning is passed over",
            frame(HEADERS, END_STREAM | END_HEADERS | 0xd2, 1, &request()),
        ),
        answered(
            "4.1: the reserved bit is passed over",
            frame(HEADERS, END_STREAM | END_HEADERS, 0x8000_0001, &request()),
        ),
        closed("4.2: a frame over the largest size", frame(DATA, 0, 1, &[0; 16_385]), FRAME_SIZE_ERROR),
        closed("4.2: even one that is passed over", frame(0xbe, 0, 0, &[0; 16_385]), FRAME_SIZE_ERROR),
        closed("4.3: a block that cannot be decoded", broken, INEXACT),
        closed("4.3: an index that is none", index, INEXACT),
    ]);
}

#[test]
fn rfc_9113_5_1_streams() {
    let done = |rule: &'static str, after: Vec<u8>, end: Got| -> Row {
        let mut row = answered(rule, get(1, "/", &[]));
        row.moves.extend([Move::Sends(after), Move::Gets(end)]);
        row
    };
    play(&[
        closed("5.1: DATA on an idle stream", frame(DATA, 0, 1, b"x"), PROTOCOL_ERROR),
        closed("5.1: RST_STREAM on an idle stream", frame(RST_STREAM, 0, 1, &CANCEL.to_be_bytes()), PROTOCOL_ERROR),
        closed("5.1: WINDOW_UPDATE on an idle stream", frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), PROTOCOL_ERROR),
        closed("5.1: CONTINUATION on an idle stream", frame(CONTINUATION, END_HEADERS, 1, b""), PROTOCOL_ERROR),
        answered(
            "5.1: PRIORITY on an idle stream is none of its states",
            [frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]), get(1, "/", &[])].concat(),
        ),
        row(
            "5.1: DATA behind the end of a stream",
            [sends(get(1, "/", &[])), seen(), sends(frame(DATA, END_STREAM, 1, b"x")), gets(Got::GoAway(INEXACT))],
        ),
        row(
            "5.1: HEADERS behind the end of a stream",
            [sends(get(1, "/", &[])), seen(), sends(get(1, "/", &[])), gets(Got::GoAway(INEXACT))],
        ),
        done("5.1: DATA on a closed stream", frame(DATA, END_STREAM, 1, b"x"), reset(1, STREAM_CLOSED)),
        done("5.1: HEADERS on a closed stream", get(1, "/", &[]), Got::GoAway(INEXACT)),
        done("5.1.1: a number of the server's", get(2, "/", &[]), Got::GoAway(PROTOCOL_ERROR)),
        row(
            "5.1.1: a number below an earlier one",
            [
                sends(get(5, "/", &[])),
                seen(),
                Move::Answers(ANSWER.into()),
                gets(Got::Head(5, 200, false)),
                gets(Got::Data(5, b"hi".to_vec(), true)),
                sends(get(3, "/", &[])),
                gets(Got::GoAway(INEXACT)),
            ],
        ),
        closed("5.1.1: a request on stream 0", frame(HEADERS, END_STREAM | END_HEADERS, 0, &request()), PROTOCOL_ERROR),
        row("5.1: WINDOW_UPDATE and RST_STREAM may come late", {
            let mut moves = answered("", get(1, "/", &[])).moves;
            moves.push(Move::Sends(
                [frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), frame(RST_STREAM, 0, 1, &CANCEL.to_be_bytes())].concat(),
            ));
            moves
        }),
        row(
            "5.4.2: after a reset the connection goes on",
            [
                sends([get(1, "/", &[("connection", "close")]), get(3, "/", &[])].concat()),
                gets(reset(1, PROTOCOL_ERROR)),
                seen(),
                Move::Answers(ANSWER.into()),
                gets(Got::Head(3, 200, false)),
                gets(Got::Data(3, b"hi".to_vec(), true)),
            ],
        ),
    ]);
}

#[test]
fn rfc_9113_6_1_to_6_4() {
    let padded = |kind: u8, flags: u8, padding: u8, content: &[u8]| {
        frame(kind, flags | PADDED, 1, &[&[padding][..], content, &vec![0; padding.into()]].concat())
    };
    let head = post(1, "/", &[("content-length", "2")]);
    let all = |frames: &[Vec<u8>]| frames.concat();
    let posted = |rule: &'static str, frames: Vec<u8>| {
        row(
            rule,
            [
                sends(frames),
                Move::Sees(b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 2\r\n\r\nhi".to_vec()),
                Move::Answers(ANSWER.into()),
                gets(Got::Head(1, 200, false)),
                gets(Got::Data(1, b"hi".to_vec(), true)),
            ],
        )
    };
    play(&[
        posted(
            "6.1: padding is no content",
            all(&[head.clone(), padded(DATA, 0, 255, b"h"), padded(DATA, END_STREAM, 0, b"i")]),
        ),
        posted(
            "6.1: an empty frame is no end",
            all(&[head.clone(), frame(DATA, 0, 1, b""), frame(DATA, 0, 1, b"hi"), frame(DATA, END_STREAM, 1, b"")]),
        ),
        closed("6.1: DATA on stream 0", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
        closed(
            "6.1: more padding than frame",
            all(&[head.clone(), frame(DATA, END_STREAM | PADDED, 1, &[3, 0, 0])]),
            PROTOCOL_ERROR,
        ),
        answered(
            "6.2: padding and priority are no fields",
            frame(
                HEADERS,
                END_STREAM | END_HEADERS | PADDED | PRIORITY_FLAG,
                1,
                &[&[2, 0, 0, 0, 0, 9][..], &request(), &[0, 0]].concat(),
            ),
        ),
        closed(
            "6.2: more padding than frame",
            frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, &[9, 0]),
            PROTOCOL_ERROR,
        ),
        closed("6.3: PRIORITY on stream 0", frame(PRIORITY, 0, 0, &[0, 0, 0, 0, 1]), PROTOCOL_ERROR),
        closed("6.4: RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, &CANCEL.to_be_bytes()), PROTOCOL_ERROR),
        closed("6.4: RST_STREAM of another length", all(&[head, frame(RST_STREAM, 0, 1, &[0, 0, 8])]), INEXACT),
    ]);
}

#[test]
fn rfc_9113_6_5_to_6_8() {
    let settings = |id: u8, value: u32| frame(SETTINGS, 0, 0, &[&[0, id][..], &value.to_be_bytes()].concat());
    let then_get = |frame: Vec<u8>| [frame, get(1, "/", &[])].concat();
    play(&[
        closed("6.5: SETTINGS on a stream", frame(SETTINGS, 0, 1, b""), PROTOCOL_ERROR),
        closed("6.5: an acknowledgement with content", frame(SETTINGS, ACK, 0, &[0; 6]), INEXACT),
        closed("6.5: half a setting", frame(SETTINGS, 0, 0, &[0; 5]), INEXACT),
        closed("6.5.2: ENABLE_PUSH that is neither", settings(2, 2), PROTOCOL_ERROR),
        closed("6.5.2: a window over the largest", settings(4, 1 << 31), INEXACT),
        closed("6.5.2: a frame size below the smallest", settings(5, 16_383), PROTOCOL_ERROR),
        closed("6.5.2: a frame size over the largest", settings(5, 1 << 24), PROTOCOL_ERROR),
        answered("6.5.2: a setting that nobody knows is passed over", then_get(settings(0xfe, 1))),
        closed(
            "6.6: PUSH_PROMISE of a client",
            frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], &request()].concat()),
            PROTOCOL_ERROR,
        ),
        row("6.7: PING is given back", [sends(frame(PING, 0, 0, b"12345678")), gets(Got::Pong(*b"12345678"))]),
        row("6.7: its answer is not answered", [sends(frame(PING, ACK, 0, b"12345678"))]),
        closed("6.7: PING on a stream", frame(PING, 0, 1, &[0; 8]), PROTOCOL_ERROR),
        closed("6.7: PING of another length", frame(PING, 0, 0, &[0; 7]), INEXACT),
        closed("6.8: GOAWAY on a stream", frame(GOAWAY, 0, 1, &[0; 8]), PROTOCOL_ERROR),
    ]);
}

#[test]
fn rfc_9113_6_9_windows() {
    let window = |stream: u32, room: u32| frame(WINDOW_UPDATE, 0, stream, &room.to_be_bytes());
    let narrow = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1]);
    let open = || post(1, "/", &[("content-length", "2")]);
    play(&[
        row(
            "6.9: no more comes than there is room for",
            [
                sends([narrow, get(1, "/", &[])].concat()),
                seen(),
                Move::Answers(ANSWER.into()),
                gets(Got::Head(1, 200, false)),
                gets(Got::Data(1, b"h".to_vec(), false)),
                sends(window(1, 5)),
                gets(Got::Data(1, b"i".to_vec(), true)),
            ],
        ),
        closed("6.9: no room more for the connection", window(0, 0), PROTOCOL_ERROR),
        row(
            "6.9: no room more for a stream",
            [sends([open(), window(1, 0)].concat()), gets(Got::GoAway(PROTOCOL_ERROR))],
        ),
        closed("6.9: WINDOW_UPDATE of another length", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), INEXACT),
        closed("6.9.1: more room than there can be for the connection", window(0, 0x7fff_ffff), FLOW_CONTROL_ERROR),
        row(
            "6.9.1: more room than there can be for a stream",
            [sends([open(), window(1, 0x7fff_ffff)].concat()), gets(reset(1, FLOW_CONTROL_ERROR))],
        ),
    ]);
}

#[test]
fn rfc_9113_6_10_continuation() {
    let block = request();
    let (first, last) = block.split_at(block.len() / 2);
    let part = frame(HEADERS, END_STREAM, 1, first);
    let then = |more: Vec<u8>| [part.clone(), more].concat();
    play(&[
        answered(
            "6.10: a block in pieces",
            then([frame(CONTINUATION, 0, 1, b""), frame(CONTINUATION, END_HEADERS, 1, last)].concat()),
        ),
        closed("6.10: another frame between", then(frame(PING, 0, 0, &[0; 8])), PROTOCOL_ERROR),
        closed("6.10: even one that is passed over", then(frame(0xbe, 0, 0, b"")), PROTOCOL_ERROR),
        closed("6.10: of another stream", then(frame(CONTINUATION, END_HEADERS, 3, last)), PROTOCOL_ERROR),
        closed("6.10: of no stream", then(frame(CONTINUATION, END_HEADERS, 0, last)), PROTOCOL_ERROR),
        closed(
            "6.10: behind a whole block",
            [open_post(), frame(CONTINUATION, END_HEADERS, 1, b"")].concat(),
            PROTOCOL_ERROR,
        ),
    ]);
}

fn open_post() -> Vec<u8> {
    post(1, "/", &[])
}
