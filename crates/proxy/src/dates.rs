//! The time of day as heads and logs write it, made once a second.

use net::clock;

/// Texts of the current second.
#[derive(Debug, Default)]
pub(crate) struct Dates {
    /// On the scale of [`clock::coarse_ms`]: when the second is over.
    valid_until_ms: u64,
    unix_ns: u64,
    read_at_ms: u64,
    fields: Vec<u8>,
    local: String,
    iso8601: String,
    error: String,
    syslog: String,
}

impl Dates {
    /// The fields that every answer has: `Server` and `Date`. No version: it would tell an attacker what to try.
    pub(crate) fn fields(&mut self) -> &[u8] {
        self.refresh();
        &self.fields
    }

    /// `$time_local`: `22/Nov/2026:23:52:06 +0000`.
    pub(crate) fn local(&mut self) -> &str {
        self.refresh();
        &self.local
    }

    /// `$time_iso8601`: `2026-11-22T23:52:06+00:00`.
    pub(crate) fn iso8601(&mut self) -> &str {
        self.refresh();
        &self.iso8601
    }

    /// For the error log: `2026/11/22 23:52:06`.
    pub(crate) fn error(&mut self) -> &str {
        self.refresh();
        &self.error
    }

    /// For syslog: `Nov 22 23:52:06`.
    pub(crate) fn syslog(&mut self) -> &str {
        self.refresh();
        &self.syslog
    }

    /// Milliseconds since 1970.
    pub(crate) fn unix_ms(&mut self) -> u64 {
        self.refresh();
        self.unix_ns / 1_000_000 + clock::coarse_ms().saturating_sub(self.read_at_ms)
    }

    /// When the next such second of a day is, in seconds since 1970, by the local time.
    pub(crate) fn next(&mut self, second: u64) -> Option<i64> {
        self.refresh();
        let now = (self.unix_ns / 1_000_000_000).cast_signed();
        let zoned = jiff::Timestamp::from_second(now).ok()?.to_zoned(jiff::tz::TimeZone::system());
        let of = |part: u64| i8::try_from(part).ok();
        let time = jiff::civil::Time::new(of(second / 3600 % 24)?, of(second / 60 % 60)?, of(second % 60)?, 0).ok()?;
        let at = |date: jiff::civil::Date| {
            date.to_datetime(time).to_zoned(zoned.time_zone().clone()).ok().map(|zoned| zoned.timestamp().as_second())
        };
        let date = if second >= 86_400 { zoned.date().tomorrow().ok()? } else { zoned.date() };
        at(date).filter(|at| *at > now).or_else(|| at(date.tomorrow().ok()?))
    }

    fn refresh(&mut self) {
        let now_ms = clock::coarse_ms();
        if now_ms < self.valid_until_ms {
            return;
        }
        self.unix_ns = clock::unix_ns();
        self.read_at_ms = now_ms;
        self.valid_until_ms = now_ms + 1_000 - self.unix_ns / 1_000_000 % 1_000;
        let seconds = self.unix_ns / 1_000_000_000;
        self.fields.clear();
        self.fields.extend_from_slice(b"Server: bedloe\r\nDate: ");
        wire::encode::date(&mut self.fields, seconds);
        self.fields.extend_from_slice(b"\r\n");
        let stamp = jiff::Timestamp::from_second(seconds.cast_signed()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let zoned = stamp.to_zoned(jiff::tz::TimeZone::system());
        self.local = zoned.strftime("%d/%b/%Y:%H:%M:%S %z").to_string();
        self.iso8601 = zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        self.syslog = zoned.strftime("%b %e %H:%M:%S").to_string();
        self.error = zoned.strftime("%Y/%m/%d %H:%M:%S").to_string();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_texts_have_their_shapes() {
        let mut dates = super::Dates::default();
        assert_eq!(dates.fields().len(), 53);
        assert_eq!(dates.local().len(), 26);
        assert_eq!(dates.iso8601().len(), 25);
        assert_eq!(dates.error().len(), 19);
        assert_eq!(dates.syslog().len(), 15);
        assert!(dates.unix_ms() > 1_600_000_000_000);
    }
}
