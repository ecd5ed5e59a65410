//! Bytes to tokens, by nginx's rules: words, `;`, `{`, `}`; quotes, backslashes, comments.
//!
//! It knows nothing of directives. Trouble is reported and passed over, so that one run finds all of it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::span::Place;

/// nginx reads its configuration through a buffer of this size, and no word may be longer.
pub(crate) const MAX_WORD_BYTES: usize = 4096;

/// A word of a directive, unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its text without quotes, escapes applied.
    pub(crate) text: String,
    /// Where it was written, quotes included.
    pub(crate) place: Place,
    /// Where in the place its text begins, if each byte of the text is one of the place: 0 bare, 1 in quotes.
    text_offset: Option<u32>,
}

/// What a file is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Word(Word),
    Semicolon(Place),
    Open(Place),
    Close(Place),
    /// The end of the file, just behind its last byte.
    End(Place),
}

/// Cuts a file into tokens, one at a time.
pub(crate) struct Lexer<'a> {
    bytes: &'a [u8],
    file: Arc<PathBuf>,
    at: usize,
    line: u32,
    line_start: usize,
    /// Set behind a quoted word, where a space or a sign must follow.
    after_quote: bool,
}

/// What is shown of a word in a message.
const MAX_SHOWN_CHARS: usize = 100;

impl Word {
    /// The text for a message: in one line, and cut where it is long.
    pub(crate) fn shown(&self) -> String {
        let mut shown = String::new();
        for (count, letter) in self.text.chars().enumerate() {
            match letter {
                _ if count == MAX_SHOWN_CHARS => return shown + "...",
                _ if letter.is_control() => shown.extend(letter.escape_default()),
                _ => shown.push(letter),
            }
        }
        shown
    }

    /// The word without what it begins with.
    pub(crate) fn behind(&self, start: &str) -> Option<Self> {
        let text = self.text.strip_prefix(start)?.to_owned();
        let text_offset = self.text_offset.map(|offset| offset + to_u32(start.len()));
        Some(Self { text, place: self.place.clone(), text_offset })
    }

    /// The place of a part of the text, or of the whole word where that cannot be told.
    pub(crate) fn part(&self, offset: usize, length: usize) -> Place {
        let (Some(start), Ok(offset), Ok(length)) =
            (self.text_offset, u32::try_from(offset), u32::try_from(length.max(1)))
        else {
            return self.place.clone();
        };
        Place { column: self.place.column + start + offset, length, ..self.place.clone() }
    }
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(bytes: &'a [u8], file: Arc<PathBuf>) -> Self {
        // A byte order mark is what some editors put there; nginx takes it for part of the first name.
        let at = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        Self { bytes, file, at, line: 1, line_start: 0, after_quote: false }
    }

    /// The next token; at the end, `End` again and again.
    pub(crate) fn next_token(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Token {
        self.skip_blank();
        let Some(&byte) = self.bytes.get(self.at) else {
            return Token::End(self.place(self.at, 1));
        };
        let place = self.place(self.at, 1);
        let after_quote = std::mem::take(&mut self.after_quote);
        match byte {
            b';' => self.sign(Token::Semicolon(place)),
            b'{' => self.sign(Token::Open(place)),
            b'}' if !after_quote => self.sign(Token::Close(place)),
            _ => {
                // nginx lets only `)` touch a closing quote.
                if after_quote && byte != b')' {
                    let shown = char::from(byte);
                    diagnostics.push(
                        Diagnostic::error(
                            "unexpected-character",
                            &place,
                            format!("unexpected {shown:?} behind a closing quote"),
                        )
                        .help("put a space or \";\" between them, or a backslash before a quote that is meant as such"),
                    );
                }
                Token::Word(self.word(diagnostics))
            }
        }
    }

    fn sign(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    fn skip_blank(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.new_line();
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'#' if !self.after_quote => {
                    let rest = &self.bytes[self.at..];
                    self.at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                    continue;
                }
                _ => return,
            }
            self.after_quote = false;
        }
    }

    fn new_line(&mut self) {
        self.line = self.line.saturating_add(1);
        self.line_start = self.at;
    }

    fn word(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Word {
        let first_line = self.line;
        let start = self.at;
        let mut place = self.place(start, 1);
        let quote = self.bytes.get(start).copied().filter(|b| matches!(b, b'"' | b'\''));
        if quote.is_some() {
            self.at += 1;
        }
        let text_start = self.at;
        let text_end = self.find_end(quote);
        if quote.is_some() {
            if text_end == self.bytes.len() {
                diagnostics.push(unclosed(&place, quote));
            } else {
                self.at = text_end + 1;
                self.after_quote = true;
            }
        }
        let raw = &self.bytes[text_start..text_end];
        let shown = self.bytes[start..self.at].split(|&b| b == b'\n').next().unwrap_or_default();
        place.length = to_u32(shown.len()).max(1);
        if raw.len() >= MAX_WORD_BYTES {
            diagnostics.push(Diagnostic::error(
                "too-long",
                &place,
                format!("this word is longer than {MAX_WORD_BYTES} bytes; is a closing quote or \";\" missing?"),
            ));
        }
        let plain = first_line == self.line && !raw.contains(&b'\\');
        let text_offset = plain.then_some(u32::from(quote.is_some()));
        Word { text: self.unescaped(raw, &place, diagnostics), place, text_offset }
    }

    /// Moves behind the word's text and says where that ends.
    fn find_end(&mut self, quote: Option<u8>) -> usize {
        let mut variable = false;
        while let Some(&byte) = self.bytes.get(self.at) {
            match (byte, quote) {
                (b'\\', _) => {
                    variable = false;
                    if self.bytes.get(self.at + 1) == Some(&b'\n') {
                        self.at += 1;
                        self.at += 1;
                        self.new_line();
                        continue;
                    }
                    self.at += 1;
                }
                // The brace of `${name}` opens no block.
                (b'{', _) if variable => {}
                (b'$', _) => variable = true,
                (_, Some(quote)) if byte == quote => return self.at,
                (b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{', None) => return self.at,
                _ => variable = false,
            }
            self.at += 1;
            if byte == b'\n' {
                self.new_line();
            }
        }
        self.at = self.bytes.len();
        self.at
    }

    fn unescaped(&self, raw: &[u8], place: &Place, diagnostics: &mut Vec<Diagnostic>) -> String {
        // Nearly all words are as they are written.
        if let Ok(text) = std::str::from_utf8(raw)
            && raw.len() < MAX_WORD_BYTES
            && !raw.contains(&b'\\')
        {
            return text.to_owned();
        }
        let mut bytes = Vec::with_capacity(raw.len().min(MAX_WORD_BYTES));
        let mut rest = raw.iter().copied().take(MAX_WORD_BYTES).peekable();
        while let Some(byte) = rest.next() {
            let escaped = match (byte, rest.peek()) {
                (b'\\', Some(b'"')) => Some(b'"'),
                (b'\\', Some(b'\'')) => Some(b'\''),
                (b'\\', Some(b'\\')) => Some(b'\\'),
                (b'\\', Some(b't')) => Some(b'\t'),
                (b'\\', Some(b'r')) => Some(b'\r'),
                (b'\\', Some(b'n')) => Some(b'\n'),
                _ => None,
            };
            if escaped.is_some() {
                rest.next();
            }
            bytes.push(escaped.unwrap_or(byte));
        }
        String::from_utf8(bytes).unwrap_or_else(|wrong| {
            if raw.len() < MAX_WORD_BYTES {
                diagnostics.push(Diagnostic::error("not-utf8", place, "this word is not valid UTF-8"));
            }
            crate::parser::text_to_show(wrong.as_bytes())
        })
    }

    fn place(&self, at: usize, length: usize) -> Place {
        Place {
            file: Arc::clone(&self.file),
            line: self.line,
            column: to_u32(at.saturating_sub(self.line_start)).saturating_add(1),
            length: to_u32(length),
        }
    }
}

fn unclosed(place: &Place, quote: Option<u8>) -> Diagnostic {
    let quote = char::from(quote.unwrap_or(b'"'));
    Diagnostic::error(
        "unexpected-end",
        place,
        format!("this quote is never closed: the file ends before a second {quote}"),
    )
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
