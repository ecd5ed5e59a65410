//! Text of others on its way to a terminal: what it would act upon instead of showing is written out.

/// The text with its control characters as escapes, so that no name moves the cursor or begins a line of its own.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() { shown.extend(letter.escape_default()) } else { shown.push(letter) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_upon_is_written_out() {
        assert_eq!(visible("a é \\ \"b\""), "a é \\ \"b\"");
        assert_eq!(visible("a\x1b[2J\nb\u{9b}\0"), "a\\u{1b}[2J\\nb\\u{9b}\\u{0}");
    }
}
