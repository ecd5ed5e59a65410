//! Where lines about a load test go, and how they are written: k6's `--log-output` and `--log-format`.
//!
//! Left out: `loki`, a service that lines would be sent to.

use std::path::{Path, PathBuf};

use load::script::Level;

use super::plan::BadFlag;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lines {
    pub(super) format: Format,
    pub(super) place: Place,
    /// The least that is written, where that is said.
    pub(super) least: Option<Level>,
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Format {
    /// With colours on a terminal, `key=value` elsewhere.
    #[default]
    Text,
    /// As an object of JSON.
    Json,
    /// Its text alone.
    Raw,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Place {
    #[default]
    Stderr,
    Stdout,
    Nowhere,
    /// To this file.
    File(PathBuf),
}

impl Lines {
    /// Reads the values of both flags; an empty one says nothing. As in k6 an unknown format is that of texts.
    pub(super) fn parse(format: &str, output: &str) -> anyhow::Result<Self> {
        let format = match format {
            "json" => Format::Json,
            "raw" => Format::Raw,
            _ => Format::Text,
        };
        let (place, least) = match output {
            "" | "stderr" => (Place::Stderr, None),
            "stdout" => (Place::Stdout, None),
            "none" => (Place::Nowhere, None),
            _ if output == "loki" || output.starts_with("loki=") => {
                anyhow::bail!("the option `--log-output loki` is not served: file=FILE writes what it would be sent")
            }
            output => file(output)?,
        };
        Ok(Self { format, place, least })
    }
}

/// `file=FILE`, with `,level=LEVEL` behind it or not.
fn file(output: &str) -> anyhow::Result<(Place, Option<Level>)> {
    let wrong = |what: &str| BadFlag::new(format!("unsupported log output '{output}': {what}"));
    let mut parts = output.split(',');
    let path = parts.next().and_then(|part| part.strip_prefix("file=")).filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| wrong("want stderr, stdout, none or file=FILE"))?;
    let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(wrong(&format!("there is no folder {}", folder.display())).into());
    }
    let mut least = None;
    for part in parts {
        let level = part.strip_prefix("level=").ok_or_else(|| wrong("behind the file there may be level=LEVEL"))?;
        least = Some(match level {
            "trace" | "debug" => Level::Debug,
            "info" => Level::Info,
            "warn" | "warning" => Level::Warning,
            "error" | "fatal" | "panic" => Level::Error,
            _ => return Err(wrong("want level=debug, info, warning or error").into()),
        });
    }
    Ok((Place::File(path.into()), least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let lines = |format, place, least| Lines { format, place, least };
        for (format, output, expected) in [
            ("", "", Lines::default()),
            ("json", "stderr", lines(Format::Json, Place::Stderr, None)),
            ("raw", "stdout", lines(Format::Raw, Place::Stdout, None)),
            ("JSON", "none", lines(Format::Text, Place::Nowhere, None)),
            ("", "file=a.log", lines(Format::Text, Place::File("a.log".into()), None)),
            ("", "file=/a.log,level=warn", lines(Format::Text, Place::File("/a.log".into()), Some(Level::Warning))),
        ] {
            assert_eq!(Lines::parse(format, output).unwrap(), expected, "{format} {output}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (output, words) in [
            ("xyz", "unsupported log output 'xyz': want stderr"),
            ("file", "want stderr, stdout, none or file=FILE"),
            ("file=", "want stderr, stdout, none or file=FILE"),
            ("file=/no/such/folder/x", "there is no folder /no/such/folder"),
            ("file=x,y", "there may be level=LEVEL"),
            ("file=x,level=loud", "want level=debug"),
            ("loki=http://127.0.0.1:1", "`--log-output loki` is not served"),
        ] {
            let error = Lines::parse("", output).unwrap_err().to_string();
            assert!(error.contains(words), "{output}: {error}");
        }
    }
}
