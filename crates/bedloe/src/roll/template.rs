//! The command that restarts a server: what may stand in it of the server's values, and where.
//!
//! Pure. What is wrong with the text is found when the command line is read, what is wrong with a value before the
//! first server is touched.

use std::str::FromStr;

use anyhow::bail;

use super::view::Server;
use crate::visible::visible;

/// What a command may say of its server, and the variables that hold the same.
const VALUES: [(&str, &str); 6] = [
    ("name", "BEDLOE_NAME"),
    ("address", "BEDLOE_ADDRESS"),
    ("host", "BEDLOE_HOST"),
    ("port", "BEDLOE_PORT"),
    ("route", "BEDLOE_ROUTE"),
    ("id", "BEDLOE_ID"),
];
const OWN_BRACES: &str = "a command with braces of its own goes into a script";

/// A command with places for values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// An index into [`VALUES`].
    Value(usize),
}

impl FromStr for Template {
    type Err = String;

    /// `${VARIABLE}` and braces around anything but a word are the shell's.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("an empty command restarts nothing".to_owned());
        }
        let (mut pieces, mut written, mut rest) = (Vec::new(), String::new(), text);
        while let Some((before, behind)) = rest.split_once('{') {
            written.push_str(before);
            let at = text.len() - behind.len() - 1;
            match placeholder(behind) {
                Some(word) if !before.ends_with('$') => {
                    let value = known(word, behind).map_err(|what| pointed(text, at, word.len() + 1, &what))?;
                    pieces.push(Piece::Text(std::mem::take(&mut written)));
                    pieces.push(Piece::Value(value));
                    rest = &behind[word.len() + 1..];
                }
                _ => {
                    written.push('{');
                    rest = behind;
                }
            }
        }
        written.push_str(rest);
        pieces.push(Piece::Text(written));
        Ok(Self(pieces))
    }
}

impl Template {
    /// The command for a server.
    pub(super) fn command(&self, server: &Server) -> anyhow::Result<String> {
        let values = values(server);
        for ((name, _), (_, value)) in VALUES.iter().zip(&values) {
            if value.contains('\0') {
                bail!("its {name} \"{}\" holds a NUL, which no command can be given", visible(value));
            }
        }
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(written) => text.push_str(written),
                Piece::Value(index) => {
                    let ((name, _), (variable, value)) = (VALUES[*index], &values[*index]);
                    if !is_plain(value) {
                        let shown = visible(value);
                        bail!("its {name} \"{shown}\" cannot stand in a command as it is: use \"${variable}\" there");
                    }
                    text.push_str(value);
                }
            }
        }
        Ok(text)
    }
}

/// The values of a server, under the names of their variables.
pub(super) fn values(server: &Server) -> [(&'static str, String); 6] {
    let (host, port) = match server.address.rsplit_once(':') {
        Some((host, port)) if !server.address.starts_with("unix:") => (host.trim_matches(['[', ']']), port),
        _ => ("", ""),
    };
    let texts = [&server.name, &server.address, host, port, &server.route, &server.id.to_string()].map(str::to_owned);
    let mut variables = VALUES.iter().map(|(_, variable)| *variable);
    texts.map(|text| (variables.next().unwrap_or_default(), text))
}

/// The word behind a brace, where that means a value or was to mean one.
fn placeholder(behind: &str) -> Option<&str> {
    let end = behind.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(behind.len());
    let word = &behind[..end];
    let is_word = word.starts_with(|letter: char| letter.is_ascii_alphabetic());
    (is_word && (behind[end..].starts_with('}') || index_of(&word.to_ascii_lowercase()).is_some())).then_some(word)
}

fn index_of(word: &str) -> Option<usize> {
    VALUES.iter().position(|(name, _)| *name == word)
}

/// The value that a word means, or what is wrong with it.
fn known(word: &str, behind: &str) -> Result<usize, String> {
    if !behind[word.len()..].starts_with('}') {
        return Err(format!("{{{word} is not closed by a brace; {OWN_BRACES}"));
    }
    index_of(word).ok_or_else(|| {
        let known: Vec<String> = VALUES.iter().map(|(name, _)| format!("{{{name}}}")).collect();
        format!("the command has {{{word}}}, and there are {}; {OWN_BRACES}", known.join(", "))
    })
}

/// What is wrong, with the line and a caret.
fn pointed(text: &str, at: usize, length: usize, what: &str) -> String {
    let begin = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = text[begin..].lines().next().unwrap_or_default();
    let indent = visible(&text[begin..at]).chars().count();
    format!("{what}\n  {}\n  {}{}", visible(line), " ".repeat(indent), "^".repeat(length))
}

/// Whether a shell takes a text as one word, whatever quotes are around it, and no program as a flag, a file to read, a
/// format or a path that leads elsewhere.
fn is_plain(value: &str) -> bool {
    let text = value.strip_prefix("unix:/").unwrap_or(value);
    let is_path = text.len() < value.len();
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-,+[]".contains(&byte) || (byte == b'/' && is_path);
    text.starts_with(|first: char| first.is_ascii_alphanumeric() || "_[:".contains(first)) && text.bytes().all(is_fit)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn server() -> Server {
        Server { id: 7, name: "app-1.test:9080".into(), address: "10.0.0.7:9080".into(), ..Server::default() }
    }

    fn command(template: &str, server: &Server) -> Result<String, String> {
        template.parse::<Template>()?.command(server).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_get_the_servers_values() {
        let one = Server { route: "s1".into(), ..server() };
        let table = [
            ("restart {name}", "restart app-1.test:9080"),
            ("ssh {host} 'restart {port} {route}' # {id}", "ssh 10.0.0.7 'restart 9080 s1' # 7"),
            ("echo {address}{address}", "echo 10.0.0.7:908010.0.0.7:9080"),
            ("echo ${name} ${HOME} { ls; } a{1,2}b {", "echo ${name} ${HOME} { ls; } a{1,2}b {"),
            ("awk '{print $1}' {} {a,b} é", "awk '{print $1}' {} {a,b} é"),
            ("true", "true"),
        ];
        for (template, expected) in table {
            assert_eq!(command(template, &one).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_command_is_pointed_at() {
        let unclosed = "{name is not closed by a brace; a command with braces of its own goes into a script";
        let table = [
            ("", "an empty command restarts nothing".to_owned()),
            (" \n", "an empty command restarts nothing".to_owned()),
            ("x {name", format!("{unclosed}\n  x {{name\n    ^^^^^")),
            ("x\né {name }\ny", format!("{unclosed}\n  é {{name }}\n    ^^^^^")),
        ];
        for (template, expected) in table {
            assert_eq!(template.parse::<Template>(), Err(expected), "{template}");
        }
        for (word, carets) in [("{adress}", "^^^^^^^"), ("{NAME}", "^^^^^"), ("{Route}", "^^^^^^")] {
            let said = format!("restart {word}").parse::<Template>().unwrap_err();
            assert!(
                said.starts_with(&format!("the command has {word}, and there are {{name}}, {{address}}, ")),
                "{said}"
            );
            assert!(said.ends_with(&format!("\n  restart {word}\n          {carets}")), "{said}");
        }
    }

    #[test]
    fn no_value_ends_a_word_of_the_shell_or_means_another_thing() {
        let shell = ["", "a b", "a;b", "$(a)", "`a`", "a'b", "a\"b", "a\\", "a\nb", "a*b", "a|b", "a&b", "~", "é"];
        let programs = ["-rf", "@/etc/passwd", "a@/etc/passwd", "/etc/passwd", "../a", ".a", "A=b", "%n", "+a"];
        for bad in shell.into_iter().chain(programs) {
            let one = Server { route: bad.into(), ..server() };
            let said = command("restart {route}", &one).unwrap_err();
            assert!(said.ends_with("use \"$BEDLOE_ROUTE\" there"), "{bad:?}: {said}");
            assert!(!said.contains('\n') && command("restart", &one).is_ok(), "{bad:?}: {said}");
        }
        let said = command("restart", &Server { route: "a\0b".into(), ..server() }).unwrap_err();
        assert_eq!(said, "its route \"a\\u{0}b\" holds a NUL, which no command can be given");
        let unix = Server { address: "unix:/run/a.sock".into(), ..server() };
        assert_eq!(command("{address}", &unix).unwrap(), "unix:/run/a.sock");
        assert!(command("{host}", &unix).is_err());
        let six = Server { address: "[::1]:80".into(), ..server() };
        assert_eq!(command("{address} {host} {port}", &six).unwrap(), "[::1]:80 ::1 80");
    }
}
