//! The nearest known word, for somebody who mistyped one.

/// Beyond this many letters nobody's slip is worth comparing, and hostile words cost time.
const MAX_LETTERS: usize = 64;

/// The candidate that is nearest to a word, if any is near enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MAX_LETTERS {
        return None;
    }
    let allowed = match word.chars().count() {
        0..=2 => return None,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    let word = word.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found() {
        let words = ["server", "server_name", "listen", "proxy_pass"];
        let table = [
            ("sever", Some("server")),
            ("sevrer_name", Some("server_name")),
            ("Listen", Some("listen")),
            ("proxypass", Some("proxy_pass")),
            ("gzip", None),
            ("x", None),
        ];
        for (word, expected) in table {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
        assert_eq!(nearest(&"s".repeat(100_000), words), None);
    }
}
