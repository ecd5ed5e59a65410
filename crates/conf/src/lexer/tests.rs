//! Tokens of small texts, by nginx's rules.

use super::*;

/// Tokens in short: words in brackets, signs bare, `!code` for each diagnostic at the end.
fn tokens(text: &str) -> String {
    let mut diagnostics = Vec::new();
    let mut lexer = Lexer::new(text.as_bytes(), Arc::default());
    let mut out = String::new();
    loop {
        match lexer.next_token(&mut diagnostics) {
            Token::Word(word) => out.push_str(&format!("[{}]", word.text)),
            Token::Semicolon(_) => out.push(';'),
            Token::Open(_) => out.push('{'),
            Token::Close(_) => out.push('}'),
            Token::End(_) => break,
        }
    }
    for diagnostic in diagnostics {
        out.push_str(&format!(" !{}", diagnostic.code));
    }
    out
}

#[test]
fn texts_become_tokens() {
    let table = [
        ("", ""),
        ("a b;", "[a][b];"),
        ("a{b;}", "[a]{[b];}"),
        ("# only a comment", ""),
        ("a b; # c\nd;", "[a][b];[d];"),
        ("a b#c;", "[a][b#c];"),
        ("a \"b c\";", "[a][b c];"),
        ("a 'b \"c\"';", "[a][b \"c\"];"),
        ("a \"b\\\"c\";", "[a][b\"c];"),
        ("a b\\;c;", "[a][b\\;c];"),
        ("a \\d+\\.x;", "[a][\\d+\\.x];"),
        ("a \"\\t\\n\\\\\";", "[a][\t\n\\];"),
        ("a ${b}c;", "[a][${b}c];"),
        ("a $b{c;}", "[a][$b]{[c];}"),
        ("a ~^/x{2}$;", "[a][~^/x]{[2}$];"),
        ("a \"~^/x{2}$\";", "[a][~^/x{2}$];"),
        ("a b}c;", "[a][b}c];"),
        ("a b\"c d;", "[a][b\"c][d];"),
        ("a '';", "[a][];"),
        ("a \"b\nc\" d;", "[a][b\nc][d];"),
        ("a\r\n\tb\r\n;", "[a][b];"),
        ("a \"b\"c;", "[a][b][c]; !unexpected-character"),
        ("a \"b\"};", "[a][b][}]; !unexpected-character"),
        ("a (\"b\");", "[a][(\"b\")];"),
        ("a = \"b\");", "[a][=][b][)];"),
        ("a \"b;", "[a][b;] !unexpected-end"),
        ("a b\\", "[a][b\\]"),
        ("\u{feff}a b;", "[a][b];"),
    ];
    for (text, expected) in table {
        assert_eq!(tokens(text), expected, "{text:?}");
    }
}

#[test]
fn places_count_lines_and_columns() {
    let text = "a b;\n  \"c\nd\" ${e};\\\nf g";
    let mut lexer = Lexer::new(text.as_bytes(), Arc::default());
    let mut places = Vec::new();
    loop {
        match lexer.next_token(&mut Vec::new()) {
            Token::Word(Word { text, place, .. }) => places.push((text, place.line, place.column, place.length)),
            Token::End(_) => break,
            _ => {}
        }
    }
    let expected =
        [("a", 1, 1, 1), ("b", 1, 3, 1), ("c\nd", 2, 3, 2), ("${e}", 3, 4, 4), ("\\\nf", 3, 9, 1), ("g", 4, 3, 1)];
    assert_eq!(places, expected.map(|(text, line, column, length)| (text.to_owned(), line, column, length)));
}

#[test]
fn words_have_a_longest_length() {
    let word = "x".repeat(MAX_WORD_BYTES - 1);
    assert_eq!(tokens(&format!("a {word};")), format!("[a][{word}];"));
    assert!(tokens(&format!("a {word}x;")).ends_with("!too-long"));
}

#[test]
fn bytes_that_are_no_text_are_found_in_words_only() {
    let mut diagnostics = Vec::new();
    let mut lexer = Lexer::new(b"# caf\xe9\na caf\xe9;", Arc::default());
    while !matches!(lexer.next_token(&mut diagnostics), Token::End(_)) {}
    assert_eq!(diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["not-utf8"]);
}
