//! What holds for a whole connection's bytes, however they are cut: the same messages come out of them, and they end
//! where a plain reader says that they do. The fuzz targets and a test use it too.

use wire::{Body, BodyError, Framing, Limits, RequestHead, ResponseHead, encode};

use super::plain::{self, Fault};

/// Interim answers that are read before one that is final: a bound for the test, not a rule.
const INTERIMS_MAX: usize = 8;

/// What came out of a message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    /// Where its head starts and ends among all bytes.
    head: (usize, usize),
    status: u16,
    framing: Framing,
    content: Vec<u8>,
    trailers: Vec<u8>,
    /// One past its last byte; 0 while it is not whole.
    end: usize,
    /// As the balancer would send it on in chunks.
    again: Vec<u8>,
}

/// Why reading ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// All bytes were read, and more are needed.
    Hungry,
    Refused,
    Broken(BodyError),
    /// The last message closes the connection.
    Closed,
}

/// Reads requests one after the other, all at once and in pieces; how many were whole. `steps` are the lengths of the
/// pieces, less one, again from the start when they are used up.
pub(crate) fn check_requests(bytes: &[u8], steps: &[u8]) -> usize {
    let whole = read_requests(&mut Pieces::at_once(bytes));
    let pieces = read_requests(&mut Pieces::new(bytes, steps));
    compare(bytes, &whole, &pieces);
    pieces.0.iter().filter(|message| message.end > 0).count()
}

/// Reads an answer up to the end of its connection, all at once and in pieces; whether it was whole.
pub(crate) fn check_answer(bytes: &[u8], is_head: bool, steps: &[u8]) -> bool {
    let whole = read_answers(&mut Pieces::at_once(bytes), is_head);
    let pieces = read_answers(&mut Pieces::new(bytes, steps), is_head);
    compare(bytes, &whole, &pieces);
    pieces.0.last().is_some_and(|message| message.end > 0 && message.status >= 200)
}

/// Reads chunks in pieces and at once, and compares with the plain reader; whether they were whole.
pub(crate) fn check_chunks(bytes: &[u8], steps: &[u8]) -> bool {
    let mut message = Message { framing: Framing::Chunked, ..Message::default() };
    let end = read_body(&mut Pieces::new(bytes, steps), &mut message);
    check_body(bytes, &message, end.as_ref());
    end.is_none()
}

fn read_requests(pieces: &mut Pieces<'_>) -> (Vec<Message>, End) {
    let (mut messages, mut head) = (Vec::new(), RequestHead::new());
    loop {
        let length = match head.parse(pieces.here(), &Limits::default()) {
            Ok(Some(length)) => length,
            Ok(None) if pieces.more() => continue,
            Ok(None) => return (messages, End::Hungry),
            Err(_) => return (messages, End::Refused),
        };
        assert_eq!(plain::head_length(pieces.here()), Some(length), "{}", pieces.here().escape_ascii());
        let mut message = Message { head: pieces.take(length), framing: head.framing, ..Message::default() };
        let end = read_body(pieces, &mut message);
        messages.push(message);
        match end {
            None if head.keep_alive => {}
            None => return (messages, End::Closed),
            Some(end) => return (messages, end),
        }
    }
}

fn read_answers(pieces: &mut Pieces<'_>, is_head: bool) -> (Vec<Message>, End) {
    let (mut messages, mut head) = (Vec::new(), ResponseHead::new());
    while messages.len() < INTERIMS_MAX {
        let length = match head.parse(pieces.here(), is_head, &Limits::default()) {
            Ok(Some(length)) => length,
            Ok(None) if pieces.more() => continue,
            Ok(None) => return (messages, End::Hungry),
            Err(_) => return (messages, End::Refused),
        };
        assert_eq!(plain::head_length(pieces.here()), Some(length), "{}", pieces.here().escape_ascii());
        let mut message =
            Message { head: pieces.take(length), status: head.status, framing: head.framing, ..Message::default() };
        let end = read_body(pieces, &mut message);
        messages.push(message);
        match end {
            None if head.is_interim() => assert_eq!(head.framing, Framing::None),
            None => return (messages, End::Closed),
            Some(end) => return (messages, end),
        }
    }
    (messages, End::Closed)
}

/// Reads the body; why it is not whole, if it is not.
fn read_body(pieces: &mut Pieces<'_>, message: &mut Message) -> Option<End> {
    let mut body = Body::new(message.framing);
    while !body.ended() {
        let piece = match body.next(pieces.here()) {
            Ok(piece) => piece,
            Err(error) => return Some(End::Broken(error)),
        };
        assert!(piece.data.end <= piece.consumed && piece.consumed <= pieces.here().len());
        assert_eq!(piece.ended, body.ended());
        let data = &pieces.here()[piece.data];
        message.content.extend_from_slice(data);
        if !data.is_empty() {
            encode::chunk_start(&mut message.again, data.len() as u64);
            message.again.extend_from_slice(data);
            message.again.extend_from_slice(encode::CHUNK_END);
        }
        pieces.take(piece.consumed);
        if piece.consumed == 0 && !body.ended() && !pieces.more() {
            match body.end_of_stream() {
                Ok(()) => {}
                Err(BodyError::Truncated) => return Some(End::Hungry),
                Err(error) => return Some(End::Broken(error)),
            }
        }
    }
    message.trailers = body.trailers().to_vec();
    message.again.extend_from_slice(&[b"0\r\n", body.trailers(), b"\r\n"].concat());
    message.end = pieces.taken;
    None
}

/// The same must have come out of both, and what the plain reader says.
fn compare(bytes: &[u8], whole: &(Vec<Message>, End), pieces: &(Vec<Message>, End)) {
    let text = bytes.escape_ascii();
    match (&whole.1, &pieces.1) {
        // Of a head without its end a fault need not show before more has come.
        (End::Refused, End::Refused | End::Hungry) => {}
        (one, other) => assert_eq!(one, other, "{text}"),
    }
    assert_eq!(whole.0.len(), pieces.0.len(), "{text}");
    for (one, other) in whole.0.iter().zip(&pieces.0) {
        assert_eq!((one.head, one.status, one.framing, one.end), (other.head, other.status, other.framing, other.end));
        // Content right before a fault may be given out or not.
        let same = if one.end > 0 { one.content == other.content } else { starts_alike(&one.content, &other.content) };
        assert!(same && one.trailers == other.trailers, "{text}");
        let end = if other.end > 0 { None } else { Some(&pieces.1) };
        check_body(&bytes[other.head.1..], other, end);
    }
}

/// Compares a body with what the plain reader makes of the bytes behind its head.
fn check_body(bytes: &[u8], message: &Message, end: Option<&End>) {
    let text = bytes.escape_ascii();
    match (plain::body(message.framing, bytes), end) {
        (Ok(plain), None) => {
            assert_eq!((&plain.content, &plain.trailers), (&message.content, &message.trailers), "{text}");
            assert_eq!(plain.length, message.end - message.head.1, "{text}");
            let again = plain::body(Framing::Chunked, &message.again).expect("our own chunks");
            assert_eq!((again.content, again.length), (plain.content, message.again.len()), "{text}");
            assert_eq!(again.trailers, plain.trailers, "{text}");
        }
        (Err(Fault::Wrong), Some(End::Broken(_))) => {}
        // What is wrong in a line shows before its end comes.
        (Err(Fault::Unfinished), Some(End::Hungry | End::Broken(_))) => {}
        different => panic!("{different:?}: {text}"),
    }
}

fn starts_alike(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// A connection's bytes as they come.
struct Pieces<'a> {
    bytes: &'a [u8],
    steps: &'a [u8],
    next_step: usize,
    taken: usize,
    come: usize,
}

impl<'a> Pieces<'a> {
    fn new(bytes: &'a [u8], steps: &'a [u8]) -> Self {
        Self { bytes, steps, next_step: 0, taken: 0, come: 0 }
    }

    fn at_once(bytes: &'a [u8]) -> Self {
        Self { come: bytes.len(), ..Self::new(bytes, &[]) }
    }

    fn here(&self) -> &'a [u8] {
        &self.bytes[self.taken..self.come]
    }

    /// Uses so many bytes: where they start and end.
    fn take(&mut self, length: usize) -> (usize, usize) {
        self.taken += length;
        (self.taken - length, self.taken)
    }

    /// Lets the next piece come; false when there is none.
    fn more(&mut self) -> bool {
        let step = self.steps.get(self.next_step % self.steps.len().max(1)).map_or(256, |step| usize::from(*step) + 1);
        self.next_step += 1;
        let before = self.come;
        self.come = (self.come + step).min(self.bytes.len());
        self.come > before
    }
}
