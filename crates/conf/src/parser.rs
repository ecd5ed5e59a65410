//! Tokens to a tree of directives, files included.
//!
//! It knows one directive, `include`, since that decides which text is read. All others are words to it; what they
//! mean is found by `build`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::lexer::{Lexer, Token, Word};
use crate::loader::Loader;
use crate::span::Place;

/// Blocks within blocks. nginx's language needs five; this keeps hostile input from using up the stack.
const MAX_BLOCK_DEPTH: usize = 32;
/// Files including files. Real configurations go three deep.
const MAX_INCLUDE_DEPTH: usize = 32;
/// Files read in all, each time one is included: room for 10,000 sites, an end for files that multiply.
const MAX_FILES: usize = 20_000;
/// Bytes read in all, each time a file is included.
const MAX_BYTES: usize = 64 << 20;
/// Debian's folder of nginx's own modules, included by every file there and empty on most hosts.
const OFTEN_EMPTY: &str = "modules-enabled";
/// Diagnostics kept from parsing; a binary file would give one a byte.
pub(crate) const MAX_DIAGNOSTICS: usize = 1_000;

/// A directive: its name, its arguments, its block.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: Word,
    pub(crate) args: Vec<Word>,
    pub(crate) block: Option<Vec<Node>>,
}

/// What parsing gives.
pub(crate) struct Parsed {
    pub(crate) nodes: Vec<Node>,
    /// Files in the order first read.
    pub(crate) files: Vec<(PathBuf, String)>,
}

/// Parses a file and all that it includes, with the directives of the command line before it.
pub(crate) fn parse(
    path: &Path,
    globals: Option<&str>,
    loader: &dyn Loader,
    diagnostics: &mut Vec<Diagnostic>,
) -> Parsed {
    let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut parser = Parser {
        loader,
        base,
        diagnostics,
        files: Vec::new(),
        known: HashSet::new(),
        open: Vec::new(),
        read: 0,
        bytes: 0,
    };
    let mut nodes = Vec::new();
    if let Some(globals) = globals {
        // As nginx does, so that the last directive needs no semicolon.
        let text = format!("{};", globals.trim_end().trim_end_matches(';'));
        if text != ";" {
            parser.text(text.as_bytes(), Arc::new(PathBuf::from(crate::COMMAND_LINE)), 0, &mut nodes);
        }
    }
    parser.file(path, None, 0, &mut nodes);
    Parsed { nodes, files: parser.files }
}

struct Parser<'a> {
    loader: &'a dyn Loader,
    /// `include`s are relative to the folder of the main file.
    base: PathBuf,
    diagnostics: &'a mut Vec<Diagnostic>,
    files: Vec<(PathBuf, String)>,
    known: HashSet<PathBuf>,
    /// The files being read, outermost first.
    open: Vec<PathBuf>,
    read: usize,
    bytes: usize,
}

impl Parser<'_> {
    /// Reads a file named by `from`, or by the command line.
    fn file(&mut self, path: &Path, from: Option<&Word>, depth: usize, nodes: &mut Vec<Node>) {
        let nowhere = Place { file: Arc::new(path.to_path_buf()), ..Place::default() };
        let place = from.map_or(&nowhere, |word| &word.place);
        if let Some(problem) = self.refusal(path, place) {
            return self.report(problem);
        }
        let bytes = match self.loader.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                return self.report(Diagnostic::error("file-unreadable", place, message));
            }
        };
        self.read += 1;
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > MAX_BYTES {
            let message = format!("the configuration is larger than {} MiB in all", MAX_BYTES >> 20);
            return self.report(Diagnostic::error("too-large", place, message));
        }
        if self.known.insert(path.to_path_buf()) {
            self.files.push((path.to_path_buf(), text_to_show(&bytes)));
        }
        self.open.push(path.to_path_buf());
        self.text(&bytes, Arc::new(path.to_path_buf()), depth, nodes);
        self.open.pop();
    }

    /// Why a file is not read, if it is not.
    fn refusal(&self, path: &Path, place: &Place) -> Option<Diagnostic> {
        if let Some(first) = self.open.iter().position(|open| open == path) {
            let chain: Vec<String> = self.open[first..].iter().map(|p| p.display().to_string()).collect();
            let message = format!("{} includes itself, by way of {}", path.display(), chain.join(" -> "));
            return Some(Diagnostic::error("include-cycle", place, message));
        }
        if self.open.len() >= MAX_INCLUDE_DEPTH {
            let message = format!("files include files more than {MAX_INCLUDE_DEPTH} deep");
            return Some(Diagnostic::error("include-too-deep", place, message));
        }
        (self.read >= MAX_FILES)
            .then(|| Diagnostic::error("too-many-files", place, format!("more than {MAX_FILES} files are included")))
    }

    fn text(&mut self, bytes: &[u8], file: Arc<PathBuf>, depth: usize, nodes: &mut Vec<Node>) {
        let mut lexer = Lexer::new(bytes, file);
        self.block(&mut lexer, depth, None, nodes);
    }

    /// Reads directives up to the brace that closes the block, or to the end of the file; `opened` is the block's own
    /// brace, and none at the top of a file. Says whether the file goes on.
    fn block(&mut self, lexer: &mut Lexer<'_>, depth: usize, opened: Option<&Place>, nodes: &mut Vec<Node>) -> bool {
        let mut words: Vec<Word> = Vec::new();
        loop {
            match lexer.next_token(self.diagnostics) {
                Token::Word(word) => words.push(word),
                Token::Semicolon(place) => match split(&mut words) {
                    Some((name, args)) => self.directive(name, args, depth, nodes),
                    None => self.report(unexpected(';', &place)),
                },
                Token::Open(place) => {
                    if !self.opened_block(lexer, split(&mut words), &place, depth, nodes) {
                        return self.ended(opened, None);
                    }
                }
                Token::Close(place) => {
                    self.finish(&mut words, "\"}\"", depth, nodes);
                    if opened.is_some() {
                        return true;
                    }
                    self.report(unexpected('}', &place));
                }
                Token::End(place) => {
                    self.finish(&mut words, "the end of the file", depth, nodes);
                    return self.ended(opened, Some(&place));
                }
            }
        }
    }

    /// The file is over; inside of a block that is an error, told once, by the innermost one.
    fn ended(&mut self, opened: Option<&Place>, end: Option<&Place>) -> bool {
        if let (Some(opened), Some(end)) = (opened, end) {
            let message = "the file ends inside of a block, before its \"}\"";
            let help = format!("the block that is open here begins in line {}", opened.line);
            self.report(Diagnostic::error("unexpected-end", end, message).help(help));
        }
        false
    }

    /// Takes words that lack their semicolon for a directive all the same.
    fn finish(&mut self, words: &mut Vec<Word>, before: &str, depth: usize, nodes: &mut Vec<Node>) {
        if let Some((name, args)) = split(words) {
            let last = args.last().unwrap_or(&name);
            let message = format!("\"{}\" has no \";\" before {before}", name.shown());
            // A quote that runs to the end of the file is told already.
            let told =
                self.diagnostics.last().is_some_and(|d| d.code == "unexpected-end" && d.place.line == last.place.line);
            if !told {
                self.report(
                    Diagnostic::error("missing-semicolon", &last.place, message).help("put \";\" behind this word"),
                );
            }
            self.directive(name, args, depth, nodes);
        }
    }

    /// Reads a block behind its opening brace. Says whether the file goes on.
    fn opened_block(
        &mut self,
        lexer: &mut Lexer<'_>,
        head: Option<(Word, Vec<Word>)>,
        place: &Place,
        depth: usize,
        nodes: &mut Vec<Node>,
    ) -> bool {
        if depth >= MAX_BLOCK_DEPTH {
            let message = format!("blocks are more than {MAX_BLOCK_DEPTH} deep");
            self.report(Diagnostic::error("too-deep", place, message));
            return self.skip_block(lexer);
        }
        let mut inner = Vec::new();
        let goes_on = self.block(lexer, depth + 1, Some(place), &mut inner);
        match head {
            Some((name, args)) => nodes.push(Node { name, args, block: Some(inner) }),
            None => self.report(unexpected('{', place)),
        }
        goes_on
    }

    fn skip_block(&mut self, lexer: &mut Lexer<'_>) -> bool {
        let mut open = 1_usize;
        while open > 0 {
            match lexer.next_token(self.diagnostics) {
                Token::Open(_) => open += 1,
                Token::Close(_) => open -= 1,
                Token::End(_) => return false,
                Token::Word(_) | Token::Semicolon(_) => {}
            }
        }
        true
    }

    fn directive(&mut self, name: Word, args: Vec<Word>, depth: usize, nodes: &mut Vec<Node>) {
        if name.text == "include" {
            self.include(&name, &args, depth, nodes);
        } else {
            nodes.push(Node { name, args, block: None });
        }
    }

    fn include(&mut self, name: &Word, args: &[Word], depth: usize, nodes: &mut Vec<Node>) {
        let [pattern] = args else {
            let message = format!("\"include\" takes one file or pattern, not {}", args.len());
            return self.report(Diagnostic::error("wrong-arguments", &name.place, message));
        };
        let path = self.base.join(&pattern.text);
        if !pattern.text.contains(['*', '?', '[']) {
            return self.file(&path, Some(pattern), depth, nodes);
        }
        match self.loader.glob(&path) {
            Ok(paths) if paths.is_empty() => self.matches_nothing(&path, pattern),
            Ok(paths) => {
                for path in paths {
                    self.file(&path, Some(pattern), depth, nodes);
                }
            }
            Err(error) => {
                let message = format!("cannot look for {}: {error}", path.display());
                self.report(Diagnostic::error("file-unreadable", &pattern.place, message));
            }
        }
    }

    /// A pattern without files is no error in nginx, and seldom meant.
    fn matches_nothing(&mut self, path: &Path, pattern: &Word) {
        if !path.parent().is_some_and(|folder| folder.ends_with(OFTEN_EMPTY)) {
            let message = format!("no file matches {}: nothing is included", path.display());
            self.report(Diagnostic::note("include-matches-nothing", &pattern.place, message));
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        }
    }
}

/// Takes the words of a directive out. What is left is the room for those of the next one.
fn split(words: &mut Vec<Word>) -> Option<(Word, Vec<Word>)> {
    let mut words = words.drain(..);
    Some((words.next()?, words.collect()))
}

fn unexpected(sign: char, place: &Place) -> Diagnostic {
    let help = match sign {
        '}' => "there is one \"}\" more than \"{\" up to here, or a \"{\" is missing above",
        '{' => "a block needs a name before its brace",
        _ => "a directive needs a name; one \";\" ends it",
    };
    Diagnostic::error("unexpected-character", place, format!("unexpected \"{sign}\"")).help(help)
}

/// The file's text with a question mark for each byte that is no UTF-8: places count bytes, and must hold in it.
pub(crate) fn text_to_show(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}
