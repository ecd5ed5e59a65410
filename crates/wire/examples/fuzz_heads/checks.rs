//! What holds for every message, whatever its bytes. The fuzz targets and a test use it too.

use wire::{Body, BodyError, Field, Framing, Known, Limits, RequestHead, ResponseHead, Span, Version, encode, find};

/// Parses a request whole and in two pieces, and checks what was accepted; whether it was.
pub(crate) fn check_request(bytes: &[u8], split: usize) -> bool {
    let limits = Limits::default();
    let mut head = RequestHead::new();
    let whole = head.parse(bytes, &limits);
    let mut in_pieces = RequestHead::new();
    let first = in_pieces.parse(&bytes[..split], &limits);
    let pieces = if first == Ok(None) { in_pieces.parse(bytes, &limits) } else { first };
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces, "{}", bytes.escape_ascii()),
        // Several faults may show in another order; in a head without an end, not before more has come.
        (Err(_), Err(_) | Ok(None)) => {}
        different => panic!("{different:?}: {}", bytes.escape_ascii()),
    }
    let Ok(Some(length)) = whole else { return false };
    assert_eq!(facts(&head), facts(&in_pieces));
    let bytes = &bytes[..length];
    let start = bytes.iter().position(|byte| !b"\r\n".contains(byte)).expect("a line that is not empty");
    check_lines(&bytes[start..], &head.fields);
    check_fields(bytes, &head.fields);
    assert!(text_is(head.method, bytes, |byte| byte.is_ascii_graphic()));
    assert!(text_is(head.target, bytes, |byte| byte > b' ' && byte != 0x7f && byte != b'#'));
    assert!(text_is(head.path, bytes, |byte| byte > b' ' && byte != 0x7f));
    assert!(head.host.is_some() || head.version == Version::Http10);
    assert!(head.framing != Framing::UntilClose);
    check_framing(bytes, &head.fields, head.framing);
    check_again(bytes, &head);
    true
}

/// Parses an answer whole and in two pieces, and checks what was accepted; whether it was.
pub(crate) fn check_response(bytes: &[u8], split: usize) -> bool {
    let limits = Limits::default();
    let mut head = ResponseHead::new();
    let whole = head.parse(bytes, false, &limits);
    let mut in_pieces = ResponseHead::new();
    let first = in_pieces.parse(&bytes[..split], false, &limits);
    let pieces = if first == Ok(None) { in_pieces.parse(bytes, false, &limits) } else { first };
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces, "{}", bytes.escape_ascii()),
        (Err(_), Err(_) | Ok(None)) => {}
        different => panic!("{different:?}: {}", bytes.escape_ascii()),
    }
    let Ok(Some(length)) = whole else { return false };
    let bytes = &bytes[..length];
    check_lines(bytes, &head.fields);
    check_fields(bytes, &head.fields);
    assert!((100..1000).contains(&head.status));
    assert!(head.reason.of(bytes).iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)));
    assert!(head.framing != Framing::UntilClose || !head.keep_alive);
    if !matches!(head.status, 100..=199 | 204 | 304) {
        check_framing(bytes, &head.fields, head.framing);
    }
    true
}

/// Reads chunks whole and in two pieces; whether they were accepted.
pub(crate) fn check_chunks(bytes: &[u8], split: usize) -> bool {
    let whole = read_chunks(&[bytes]);
    assert_eq!(whole, read_chunks(&[&bytes[..split], bytes]), "{}", bytes.escape_ascii());
    whole.is_ok()
}

/// What a body says when each of these is all that has come so far: how much was taken, content, trailers.
fn read_chunks(stages: &[&[u8]]) -> Result<(usize, Vec<u8>, Vec<u8>), BodyError> {
    let mut body = Body::new(Framing::Chunked);
    let (mut at, mut content) = (0, Vec::new());
    for bytes in stages {
        loop {
            let input = &bytes[at..];
            let piece = body.next(input)?;
            assert!(piece.consumed <= input.len() && piece.data.end <= piece.consumed);
            content.extend_from_slice(&input[piece.data]);
            at += piece.consumed;
            if piece.consumed == 0 || piece.ended {
                break;
            }
        }
    }
    body.end_of_stream()?;
    Ok((at, content, body.trailers().to_vec()))
}

/// A line a field, an empty line at the end, and no byte that could be read as a line end elsewhere.
fn check_lines(bytes: &[u8], fields: &[Field]) {
    let text = bytes.escape_ascii();
    assert!(bytes.ends_with(b"\n\n") || bytes.ends_with(b"\n\r\n"), "{text}");
    assert_eq!(bytes.iter().filter(|&&byte| byte == b'\n').count(), fields.len() + 2, "{text}");
    let bare = bytes.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n');
    assert!(!bare && !bytes.contains(&0), "{text}");
}

fn check_fields(bytes: &[u8], fields: &[Field]) {
    for field in fields {
        let (name, value) = (field.name.of(bytes), field.value.of(bytes));
        assert!(text_is(field.name, bytes, |byte| byte.is_ascii_graphic() && !b":,;()<>@\\\"/[]?={}".contains(&byte)));
        assert_eq!(bytes[field.name.end as usize], b':');
        assert!(value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)));
        assert_eq!(value, value.trim_ascii());
        assert_eq!(field.known, Known::of(name));
        assert!(field.hop || !field.known.is_hop_by_hop());
    }
}

fn check_framing(bytes: &[u8], fields: &[Field], framing: Framing) {
    let count = |known| fields.iter().filter(|field| field.known == known).count();
    match (count(Known::ContentLength), count(Known::TransferEncoding)) {
        (0, 0) => assert!(matches!(framing, Framing::None | Framing::UntilClose)),
        (1, 0) => {
            let value = find(fields, Known::ContentLength).expect("it was counted").value.of(bytes);
            let length = std::str::from_utf8(value).expect("digits").parse().expect("digits");
            assert!(value.iter().all(u8::is_ascii_digit));
            assert_eq!(framing, Framing::Length(length));
        }
        (0, 1) => assert_eq!(framing, Framing::Chunked),
        several => panic!("{several:?}: {}", bytes.escape_ascii()),
    }
}

/// What is written anew from an accepted head is accepted, and means the same.
fn check_again(bytes: &[u8], head: &RequestHead) {
    let mut copy = Vec::with_capacity(bytes.len() + 64);
    encode::request_line(&mut copy, head.method.of(bytes), head.target.of(bytes), head.version);
    for field in &head.fields {
        encode::field(&mut copy, field.name.of(bytes), field.value.of(bytes));
    }
    copy.extend_from_slice(encode::HEAD_END);
    let mut again = RequestHead::new();
    assert_eq!(again.parse(&copy, &Limits::default()), Ok(Some(copy.len())), "{}", copy.escape_ascii());
    assert_eq!(facts(&again), facts(head));
    let texts = |head: &RequestHead, bytes: &[u8]| head.host.map(|host| host.of(bytes).to_vec());
    assert_eq!((texts(&again, &copy), again.path.of(&copy)), (texts(head, bytes), head.path.of(bytes)));
}

fn facts(head: &RequestHead) -> (Version, Framing, bool, bool, bool, usize) {
    (head.version, head.framing, head.keep_alive, head.expect_continue, head.upgrade, head.fields.len())
}

fn text_is(span: Span, bytes: &[u8], allowed: impl Fn(u8) -> bool) -> bool {
    let text = span.of(bytes);
    !text.is_empty() && text.iter().all(|&byte| allowed(byte))
}
