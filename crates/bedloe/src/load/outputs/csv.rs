//! Samples as CSV, a line each: the system tags in columns of their own, all other tags in one, as k6 1.8 writes them.

use std::fmt::Write as _;
use std::io::{self, Write};

use anyhow::bail;
use load::metric::{Definition, Point, SystemTags};

use super::time::{Clock, Rfc3339};
use super::{BadOutput, Format, metadata, tags};

/// How times are written: `K6_CSV_TIME_FORMAT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeFormat {
    /// Since 1970, in units of so many nanoseconds.
    Unix(i128),
    Rfc3339 {
        has_fraction: bool,
    },
}

/// The format.
pub(super) struct Csv {
    clock: Clock,
    times: Rfc3339,
    time_format: TimeFormat,
    /// Tags with a column, by name.
    columns: Vec<&'static str>,
    system_tags: SystemTags,
    /// A field while it is put together.
    field: String,
}

impl Csv {
    pub(super) fn new(clock: Clock, system_tags: SystemTags, time_format: &str) -> anyhow::Result<Self> {
        let time_format = match time_format {
            "unix" | "" => TimeFormat::Unix(1_000_000_000),
            "unix_milli" => TimeFormat::Unix(1_000_000),
            "unix_micro" => TimeFormat::Unix(1000),
            "unix_nano" => TimeFormat::Unix(1),
            "rfc3339" => TimeFormat::Rfc3339 { has_fraction: false },
            "rfc3339_nano" => TimeFormat::Rfc3339 { has_fraction: true },
            other => {
                let known = "unix, unix_milli, unix_micro, unix_nano, rfc3339, rfc3339_nano";
                bail!(BadOutput(format!("K6_CSV_TIME_FORMAT: `{other}` is none of {known}")))
            }
        };
        let mut columns: Vec<&str> = system_tags.names().filter(|name| !matches!(*name, "vu" | "iter")).collect();
        columns.sort_unstable();
        Ok(Self { clock, times: Rfc3339::new(), time_format, columns, system_tags, field: String::new() })
    }

    fn time(&mut self, out: &mut dyn Write, at_ns: u64) -> io::Result<()> {
        let wall_ns = self.clock.wall_ns(at_ns);
        match self.time_format {
            TimeFormat::Unix(unit) => write!(out, "{}", wall_ns.div_euclid(unit)),
            TimeFormat::Rfc3339 { has_fraction } => self.times.write(out, wall_ns, has_fraction),
        }
    }

    fn metadata(&mut self, point: &Point) {
        self.field.clear();
        for (name, value) in metadata(point, self.system_tags) {
            let between = if self.field.is_empty() { "" } else { "&" };
            let _ = write!(self.field, "{between}{name}={value}");
        }
    }
}

impl Format for Csv {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"metric_name,timestamp,metric_value")?;
        for column in &self.columns {
            write!(out, ",{column}")?;
        }
        out.write_all(b",extra_tags,metadata\n")
    }

    fn point(&mut self, out: &mut dyn Write, point: &Point, definition: &Definition) -> io::Result<()> {
        write!(out, "{},", definition.name)?;
        self.time(out, point.at_ns)?;
        write!(out, ",{:.6}", point.value)?;
        for column in &self.columns {
            out.write_all(b",")?;
            let value = tags(point).find(|(name, _)| name == column).map_or("", |(_, value)| value);
            field(out, value)?;
        }
        self.field.clear();
        for (name, value) in tags(point).filter(|(name, _)| !self.columns.contains(name)) {
            let between = if self.field.is_empty() { "" } else { "&" };
            let _ = write!(self.field, "{between}{name}={value}");
        }
        out.write_all(b",")?;
        field(out, &self.field)?;
        self.metadata(point);
        out.write_all(b",")?;
        field(out, &self.field)?;
        out.write_all(b"\n")
    }
}

/// A field, quoted where it has to be.
fn field(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let is_plain = !text.contains(['"', ',', '\n', '\r']) && !text.starts_with(char::is_whitespace) && text != "\\.";
    if is_plain {
        return out.write_all(text.as_bytes());
    }
    write!(out, "\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        for (text, expected) in [("", ""), ("a b", "a b"), ("a,b \"c\"", "\"a,b \"\"c\"\"\""), (" a", "\" a\"")] {
            let mut out = Vec::new();
            field(&mut out, text).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn time_formats_are_k6s() {
        let of = |format| Csv::new(Clock::now(), SystemTags::default(), format).map(|csv| csv.time_format);
        assert_eq!(of("unix_micro").unwrap(), TimeFormat::Unix(1000));
        assert!(of("iso").is_err());
    }
}
