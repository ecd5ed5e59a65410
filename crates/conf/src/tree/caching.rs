//! What a configuration says of how long clients may keep answers (`expires`).

use crate::template::Template;
use crate::value;

/// `expires`.
#[derive(Debug, Clone)]
pub enum ExpiresRule {
    /// The same for each answer.
    Fixed(Expires),
    /// What a text with variables says, read for each answer; nothing where it says nothing that can be read.
    Text {
        /// The text.
        text: Template,
        /// Whether `modified` stands before it.
        since_modified: bool,
    },
}

/// How long an answer holds. Times are in seconds; negative ones are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expires {
    /// Nothing is said.
    Off,
    /// It is over already, since 1970.
    Epoch,
    /// For as long as can be said.
    Max,
    /// So long from now on.
    Access(i64),
    /// So long from when the file was modified.
    Modified(i64),
    /// Until this second of the day, by the local time.
    Daily(u64),
}

const DAY_S: u64 = 24 * 60 * 60;

impl Expires {
    /// Reads `off`, `epoch`, `max`, `@TIME` or `[+|-]TIME`.
    ///
    /// # Errors
    /// Why the text is none of it.
    pub fn parse(text: &str, since_modified: bool) -> Result<Self, &'static str> {
        match text {
            "off" if !since_modified => return Ok(Self::Off),
            "epoch" if !since_modified => return Ok(Self::Epoch),
            "max" if !since_modified => return Ok(Self::Max),
            _ => {}
        }
        let seconds = |text: &str| match value::seconds_ms(text) {
            Ok(ms) => Ok(ms / 1000),
            Err(_) => Err("it must be off, epoch, max, or a time such as 30d, -1 or @15h30m"),
        };
        if let Some(time) = text.strip_prefix('@') {
            return match seconds(time)? {
                _ if since_modified => Err("a time of the day cannot stand behind \"modified\""),
                second if second > DAY_S => Err("a day has 24 hours"),
                second => Ok(Self::Daily(second)),
            };
        }
        let time = match text.strip_prefix('-') {
            Some(past) => -seconds(past)?.cast_signed(),
            None => seconds(text.strip_prefix('+').unwrap_or(text))?.cast_signed(),
        };
        Ok(if since_modified { Self::Modified(time) } else { Self::Access(time) })
    }
}

#[cfg(test)]
mod tests {
    use super::Expires::{self, Access, Daily, Epoch, Max, Modified, Off};

    #[test]
    fn times_are_read() {
        let table = [
            ("off", false, Some(Off)),
            ("epoch", false, Some(Epoch)),
            ("max", false, Some(Max)),
            ("max", true, None),
            ("30d", false, Some(Access(2_592_000))),
            ("+1h", false, Some(Access(3_600))),
            ("-1", false, Some(Access(-1))),
            ("0", false, Some(Access(0))),
            ("24h", true, Some(Modified(86_400))),
            ("@15h30m", false, Some(Daily(55_800))),
            ("@25h", false, None),
            ("@1h", true, None),
            ("", false, None),
            ("soon", false, None),
        ];
        for (text, since_modified, expected) in table {
            assert_eq!(Expires::parse(text, since_modified).ok(), expected, "{text}");
        }
    }
}
