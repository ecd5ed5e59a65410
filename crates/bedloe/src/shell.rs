//! Words of a command line as a shell takes them, for commands that are shown to be typed.

/// The text as one word.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_of_the_shell_stay_one_word() {
        for (text, expected) in [("a=1", "a=1"), ("a=1 2", "'a=1 2'"), ("it's; $x", "'it'\\''s; $x'"), ("", "''")] {
            assert_eq!(super::word(text), expected);
        }
    }
}
