//! A client that sends requests in batches over one kept connection, for tests of tens of thousands of them.

use std::io::{self, BufRead, BufReader, Read, Write};

/// Requests sent before their answers are read.
const BATCH: usize = 50;

/// An answer: status and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// The answers to a GET of each target, in order. `reader` and `writer` are two handles of one connection.
pub(crate) fn get_all<'a>(
    reader: impl Read,
    writer: impl Write,
    targets: impl IntoIterator<Item = &'a str>,
) -> io::Result<Vec<Answer>> {
    get_all_with(reader, writer, targets.into_iter().map(|target| (target, "")))
}

/// The same for targets with lines of a head, each with its end.
pub(crate) fn get_all_with<'a>(
    reader: impl Read,
    mut writer: impl Write,
    requests: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> io::Result<Vec<Answer>> {
    let mut reader = BufReader::new(reader);
    let mut answers = Vec::new();
    let mut requests = requests.into_iter().peekable();
    while requests.peek().is_some() {
        let mut batch = String::new();
        let mut count = 0;
        for (target, fields) in requests.by_ref().take(BATCH) {
            batch.push_str(&format!("GET {target} HTTP/1.1\r\nHost: test.example\r\n{fields}\r\n"));
            count += 1;
        }
        writer.write_all(batch.as_bytes())?;
        for _ in 0..count {
            answers.push(read_answer(&mut reader)?);
        }
    }
    Ok(answers)
}

/// Reads an answer whose length is given by Content-Length.
fn read_answer(reader: &mut impl BufRead) -> io::Result<Answer> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("no answer: {what:?}"));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| invalid(&line))?;
    let mut length = 0;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(invalid("the connection was closed"));
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(|_| invalid(&line))?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}
