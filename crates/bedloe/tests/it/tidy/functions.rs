//! Rules about functions: none over 70 lines, one in twenty over 45. What is longer and known stands in a table, with
//! its length, that may only shrink.

use super::Finding;
use super::files::TextFile;
use super::mask;

/// Lines of a function, from `fn` to its closing brace.
const LONGEST: usize = 70;
/// Lines that a usual function stays under ...
const USUAL: usize = 45;
/// ... and how many in a hundred may not.
const UNUSUAL_PERCENT: usize = 5;
/// The functions that are longer, a line each: path, name, length.
pub(super) const KNOWN: &str = include_str!("long_functions.txt");

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

pub(super) fn too_long(files: &[TextFile], known: &str) -> Vec<Finding> {
    let mut entries: Vec<(&str, &str, usize)> = known.lines().filter_map(entry).collect();
    let mut findings = Vec::new();
    for file in files {
        for function in functions(&file.text).into_iter().filter(|function| function.lines > LONGEST) {
            let path = file.path.to_string_lossy();
            let at = entries.iter().position(|entry| entry.0 == path && entry.1 == function.name);
            let allowed = at.map_or(LONGEST, |at| entries.swap_remove(at).2);
            if function.lines != allowed {
                findings.push(Finding::new(file, function.line, complaint(&function, allowed)));
            }
        }
    }
    let table = TextFile::sample("crates/bedloe/tests/it/tidy/long_functions.txt", known);
    let stale = entries.iter().map(|(path, name, _)| format!("{path} {name} is no longer too long: remove the line"));
    findings.extend(stale.map(|what| Finding::new(&table, 0, what)));
    findings
}

pub(super) fn too_many_long(files: &[TextFile]) -> Vec<Finding> {
    let mut all = 0;
    let mut long = Vec::new();
    for file in files {
        for function in functions(&file.text) {
            all += 1;
            if function.lines > USUAL {
                long.push(Finding::new(file, function.line, format!("{} has {} lines", function.name, function.lines)));
            }
        }
    }
    if long.len() * 100 > all * UNUSUAL_PERCENT { long } else { Vec::new() }
}

fn entry(line: &str) -> Option<(&str, &str, usize)> {
    let mut words = line.split_whitespace();
    let path = words.next().filter(|path| !path.starts_with('#'))?;
    Some((path, words.next()?, words.next()?.parse().ok()?))
}

fn complaint(function: &Function, allowed: usize) -> String {
    let Function { name, lines, .. } = function;
    if *lines > allowed {
        format!("{name} has {lines} lines, {allowed} is the limit: take a part out that has a name of its own")
    } else {
        format!("{name} has shrunk to {lines} lines: write that into long_functions.txt in place of {allowed}")
    }
}

fn functions(source: &str) -> Vec<Function> {
    let code = mask::code(source);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let starts_word = !code[..at].ends_with(|c: char| c == '_' || c.is_alphanumeric());
        let name: String = code[at + 3..].chars().take_while(|&c| c == '_' || c.is_alphanumeric()).collect();
        if !starts_word || name.is_empty() {
            continue;
        }
        if let Some(length) = body_end(&code[at..]) {
            let line = code[..at].matches('\n').count() + 1;
            let lines = code[at..at + length].matches('\n').count() + 1;
            found.push(Function { name, line, lines });
        }
    }
    found
}

/// Where the function that begins here ends; none where it has no body.
fn body_end(code: &str) -> Option<usize> {
    let (mut parens, mut braces) = (0_usize, 0_usize);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => parens += 1,
            ')' | ']' => parens = parens.saturating_sub(1),
            ';' if parens == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 && parens == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
fn function_of(lines: usize) -> String {
    format!("fn long(a: [u8; 2]) -> u8 {{\n{}}}\n", "    work(\"}\");\n".repeat(lines - 2))
}

#[test]
fn measures_functions() {
    let source = "trait T {\n    fn none(&self, a: [u8; 4]);\n}\nimpl X {\n    fn one() { '}'; }\n    fn two()\n    \
                  {\n        // }\n    }\n}\ntype F = fn (u8);\n";
    let found: Vec<(String, usize, usize)> =
        functions(source).into_iter().map(|function| (function.name, function.line, function.lines)).collect();
    assert_eq!(found, [("one".to_owned(), 5, 1), ("two".to_owned(), 6, 4)]);
}

#[test]
fn finds_functions_that_are_too_long() {
    let file = |lines| [TextFile::sample("crates/a/src/lib.rs", &function_of(lines))];
    let known = "# path name lines\ncrates/a/src/lib.rs long 80\n";
    assert!(too_long(&file(LONGEST), "").is_empty());
    assert_eq!(too_long(&file(LONGEST + 1), "").len(), 1);
    assert!(too_long(&file(80), known).is_empty());
    assert!(too_long(&file(81), known)[0].what.contains("80 is the limit"));
    assert!(too_long(&file(79), known)[0].what.contains("shrunk to 79"));
    assert!(too_long(&file(LONGEST), known)[0].what.contains("remove the line"));
}

#[test]
fn one_function_in_twenty_may_be_long() {
    let file = |short: usize| {
        let text = function_of(USUAL + 1) + &"fn f() {}\n".repeat(short);
        [TextFile::sample("crates/a/src/lib.rs", &text)]
    };
    assert!(too_many_long(&file(19)).is_empty());
    assert_eq!(too_many_long(&file(18)).len(), 1);
}
