//! `bedloe import`: the configuration of another web server's plug-in as one that bedloe and nginx read.

mod plugin;
mod write;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

/// Write the nginx configuration that does what IBM's plug-in for web servers did.
///
/// Of plugin-cfg.xml, as Liberty and WebSphere generate it, are taken: clusters with their servers, weights, clone ids,
/// primary and backup servers, time-outs, connections, retries, and the addresses that each cluster serves. What has no
/// counterpart is a comment in the result and a warning on the standard error.
///
/// Exit codes: 0 it is written, 1 the file cannot be read or used, 2 the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The plug-in's configuration
    #[arg(value_name = "plugin-cfg.xml")]
    file: PathBuf,
    /// Where the configuration goes [default: the standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where it listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "80", value_parser = listen)]
    listen: String,
}

/// Runs the command.
#[allow(clippy::needless_pass_by_value, reason = "each command takes its arguments")]
pub(crate) fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let text = crate::xml::read(&args.file).with_context(|| format!("cannot read {shown}"))?;
    let plugin = plugin::read(&args.file, &text)?;
    let (written, warnings) = write::configuration(&plugin, &args.listen);
    for warning in &warnings {
        let _ = writeln!(io::stderr(), "{shown}:{}: warning: {}", warning.line, write::safe(&warning.text));
    }
    match &args.output {
        Some(path) => std::fs::write(path, written).with_context(|| format!("cannot write {}", path.display()))?,
        None => io::stdout().lock().write_all(written.as_bytes()).context("cannot write to the standard output")?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What `listen` of the result takes, and nothing that would end it.
fn listen(text: &str) -> Result<String, String> {
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|it| it > 0);
    let is_name = |host: &str| {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
        host == "*" || host.starts_with(|first: char| first.is_ascii_alphanumeric()) && host.chars().all(is_part)
    };
    let is_v6 = |host: &str| host.parse::<std::net::Ipv6Addr>().is_ok();
    let is_path = |path: &str| {
        let ends_word = |letter: char| letter.is_whitespace() || letter.is_control() || ";{}\"'\\#$".contains(letter);
        !path.is_empty() && !path.contains(ends_word)
    };
    let is_fit = if let Some(path) = text.strip_prefix("unix:") {
        is_path(path)
    } else if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        is_v6(host) && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
    } else if let Some((host, port)) = text.split_once(':') {
        is_name(host) && is_port(port)
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        is_port(text)
    } else {
        is_name(text)
    };
    let wanted = "want PORT, ADDRESS, ADDRESS:PORT, [IPV6]:PORT or unix:PATH, such as 127.0.0.1:8080";
    if is_fit { Ok(text.to_owned()) } else { Err(wanted.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listens_at_what_is_an_address() {
        for good in [
            "80",
            "65535",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost:80",
            "a-b.example",
            "*:80",
            "*",
            "[::1]",
            "[::]:80",
            "unix:/run/a.sock",
        ] {
            assert_eq!(listen(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "0",
            "65536",
            "+80",
            "80; } evil {",
            "80 ssl",
            "a:",
            ":80",
            "a:b",
            "a:+1",
            "::1",
            "[::1",
            "[a]:80",
            "[::1]80",
            "[::1]:0",
            "unix:",
            "unix:/a b",
            "unix:/a;",
            "unix:/a{",
            "unix:/a\nb",
            "unix:/$a",
            "a\n",
            "-a",
            "#",
        ] {
            assert!(listen(bad).is_err_and(|why| why.contains("ADDRESS:PORT")), "{bad}");
        }
    }
}
