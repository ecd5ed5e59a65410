//! When a value is good enough, and what it becomes where it is not. Nothing is ever lowered that is already more: a
//! range only grows, a list only gains.

use std::collections::BTreeSet;
use std::fmt;

use super::ports;

/// What is wanted of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// This or more.
    AtLeast(u64),
    /// This or less.
    AtMost(u64),
    /// A range of ports that holds at least these.
    Range(u16, u16),
    /// A list of ports that holds at least these.
    Ports(BTreeSet<u16>),
    /// One of these words; the first is set.
    Word(&'static [&'static str]),
}

impl Rule {
    /// What a value becomes that does not fit; `None` where it fits. One that is not understood does not.
    pub(super) fn mended(&self, now: &str) -> Option<String> {
        let number = now.trim().parse::<u64>();
        let fits = match self {
            Self::AtLeast(least) => number.is_ok_and(|now| now >= *least),
            Self::AtMost(most) => number.is_ok_and(|now| now <= *most),
            Self::Word(words) => words.contains(&now.trim()),
            Self::Range(first, last) => match range(now) {
                Some((low, high)) if low <= *first && high >= *last => true,
                Some((low, high)) => return Some(format!("{} {}", low.min(*first), high.max(*last))),
                None => false,
            },
            Self::Ports(wanted) => {
                let has = ports::list(now);
                if !wanted.is_subset(&has) {
                    return Some(ports::written(&(&has | wanted)));
                }
                true
            }
        };
        (!fits).then(|| self.to_string())
    }

    /// One value that holds what both hold, written as the kernel writes it: neither a hand nor another file loses a
    /// port by ours. Of a choice of words `other` where it fits.
    pub(super) fn joined(&self, value: &str, other: &str) -> String {
        let numbers = || Some((value.parse::<u64>().ok()?, other.parse::<u64>().ok()?));
        let joined = match self {
            Self::AtLeast(_) => numbers().map(|(one, two)| one.max(two).to_string()),
            Self::AtMost(_) => numbers().map(|(one, two)| one.min(two).to_string()),
            Self::Range(..) => range(value).zip(range(other)).map(|((low, high), (other_low, other_high))| {
                format!("{} {}", low.min(other_low), high.max(other_high))
            }),
            Self::Ports(_) => Some(ports::written(&(&ports::list(value) | &ports::list(other)))),
            Self::Word(words) => words.contains(&other).then(|| other.to_owned()),
        };
        joined.unwrap_or_else(|| value.to_owned())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(number) | Self::AtMost(number) => write!(f, "{number}"),
            Self::Range(first, last) => write!(f, "{first} {last}"),
            Self::Ports(wanted) => f.write_str(&ports::written(wanted)),
            Self::Word(words) => f.write_str(words.first().unwrap_or(&"")),
        }
    }
}

/// Two ports, as a range is written.
pub(super) fn range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_or_are_mended_and_never_lowered() {
        let listed = || Rule::Ports(BTreeSet::from([8080, 9080]));
        for (rule, now, mended) in [
            (Rule::AtLeast(10), "9", Some("10")),
            (Rule::AtLeast(10), "10", None),
            (Rule::AtLeast(10), "9223372036854775807\n", None),
            (Rule::AtLeast(10), "", Some("10")),
            (Rule::AtLeast(10), "-1", Some("10")),
            (Rule::AtMost(15), "60", Some("15")),
            (Rule::AtMost(15), "5", None),
            (Rule::Range(1024, 65_535), "32768\t60999", Some("1024 65535")),
            (Rule::Range(2048, 60_000), "1024 50000", Some("1024 60000")),
            (Rule::Range(2048, 60_000), "1024 65535", None),
            (Rule::Range(2048, 60_000), "odd", Some("2048 60000")),
            (listed(), "", Some("8080,9080")),
            (listed(), "7000-7002,8080", Some("7000-7002,8080,9080")),
            (listed(), "8000-9999", None),
            (Rule::Word(&["madvise", "never"]), "always", Some("madvise")),
            (Rule::Word(&["madvise", "never"]), "never", None),
        ] {
            assert_eq!(rule.mended(now).as_deref(), mended, "{rule:?} {now:?}");
            let after = mended.unwrap_or(now);
            assert_eq!(rule.mended(after), None, "twice: {rule:?} {after:?}");
        }
    }

    #[test]
    fn two_values_are_joined_and_nothing_of_either_is_lost() {
        let ports = || Rule::Ports(BTreeSet::from([9080]));
        for (rule, value, other, joined) in [
            (Rule::AtLeast(10), "10", "70", "70"),
            (Rule::AtLeast(10), "10", "4", "10"),
            (Rule::AtLeast(10), "10", "odd", "10"),
            (Rule::AtMost(15), "15", "5", "5"),
            (Rule::AtMost(15), "15", "60", "15"),
            (Rule::Range(1024, 65_535), "500 65535", "1024 65535", "500 65535"),
            (Rule::Range(1024, 65_535), "1024 65535", "odd", "1024 65535"),
            (ports(), "7000,9080", "9081,9080", "7000,9080-9081"),
            (ports(), "9080", "", "9080"),
            (Rule::Word(&["madvise", "never"]), "madvise", "never", "never"),
            (Rule::Word(&["madvise", "never"]), "madvise", "always", "madvise"),
        ] {
            assert_eq!(rule.joined(value, other), joined, "{rule:?} {value:?} {other:?}");
        }
    }
}
