//! The command line of nginx, for who calls this program by that name: a link `nginx` to it is driven by the units,
//! scripts and test suites that were made for nginx.
//!
//! Flags, messages and exit codes are nginx's; its `-s` is `bedloe signal`, its `-t` and `-T` are `bedloe check`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use conf::Severity;
use conf::tree::Main;

use crate::files::{Source, System};
use crate::signal::What;
use crate::{check, findings, run, signal};

/// The nginx whose documentation holds.
const NGINX_VERSION: &str = "1.29.8";

/// What is in and what is out, as tools read it from `-V`.
const CONFIGURED: &str = "--prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf \
    --http-log-path=/var/log/nginx/access.log --error-log-path=/var/log/nginx/error.log --pid-path=/run/nginx.pid \
    --with-threads --with-http_ssl_module --with-http_v2_module --without-http_charset_module \
    --without-http_gzip_module --without-http_ssi_module --without-http_userid_module --without-http_access_module \
    --without-http_auth_basic_module --without-http_mirror_module --without-http_autoindex_module \
    --without-http_geo_module --without-http_split_clients_module --without-http_referer_module \
    --without-http_rewrite_module --without-http_fastcgi_module --without-http_uwsgi_module \
    --without-http_scgi_module --without-http_grpc_module --without-http_memcached_module \
    --without-http_limit_conn_module --without-http_limit_req_module --without-http_empty_gif_module \
    --without-http_browser_module --without-http_upstream_ip_hash_module --without-http_upstream_least_conn_module \
    --without-http_upstream_random_module --without-http-cache";

const HELP: &str = "Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]
             [-e filename] [-c filename] [-g directives]

Options:
  -?,-h         : this help
  -v            : show version and exit
  -V            : show version and configure options then exit
  -t            : test configuration and exit
  -T            : test configuration, dump it and exit
  -q            : suppress non-error messages during configuration testing
  -s signal     : send signal to a master process: stop, quit, reopen, reload
  -p prefix     : set prefix path (default: /usr/share/nginx/)
  -e filename   : set error log file (default: /var/log/nginx/error.log)
  -c filename   : set configuration file (default: /etc/nginx/nginx.conf)
  -g directives : set global directives out of configuration file
";

const SIGNALS: [(&str, What); 4] =
    [("stop", What::Stop), ("quit", What::Quit), ("reopen", What::Reopen), ("reload", What::Reload)];

/// Whether the program was called `nginx`.
pub(crate) fn is_name(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new("nginx"))
}

/// What the command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    help: bool,
    version: bool,
    configured: bool,
    test: bool,
    dump: bool,
    quiet: bool,
    prefix: Option<PathBuf>,
    error_log: Option<PathBuf>,
    config: Option<PathBuf>,
    globals: Option<String>,
    signal: Option<What>,
}

/// Does what the arguments say.
pub(crate) fn main(arguments: impl Iterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let asked = match parse(arguments) {
        Ok(asked) => asked,
        Err(wrong) => {
            crate::say(format_args!("{wrong}"));
            return Ok(ExitCode::FAILURE);
        }
    };
    if asked.version {
        show_version(&asked).context("writing to the standard error")?;
        if !asked.test {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let Asked { prefix, error_log, config, globals, signal, .. } = asked;
    let source = Source { error_log, ..Source::new(config, prefix, globals) };
    if asked.test {
        return test(&source, asked.dump, asked.quiet).context("writing");
    }
    match signal {
        None => run::serve(source, &[], crate::hosts::AgentsArgs::default(), is_daemon),
        Some(what) => Ok(signal::send(what, &source).unwrap_or_else(|error| {
            crate::say(format_args!("[error] {error:#}"));
            ExitCode::FAILURE
        })),
    }
}

fn is_daemon(main: &Main) -> bool {
    main.daemon.as_ref().is_none_or(|(on, _)| *on)
}

/// Reads the arguments as nginx does: flags may be run together, and a value may follow its flag at once.
fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    while let Some(argument) = arguments.next() {
        let Some(mut flags) = argument.as_bytes().strip_prefix(b"-") else {
            return Err(format!("invalid option: \"{}\"", argument.display()));
        };
        while let Some((&flag, rest)) = flags.split_first() {
            flags = rest;
            if b"pecgs".contains(&flag) {
                let value = if rest.is_empty() { arguments.next() } else { Some(OsString::from_vec(rest.to_vec())) };
                asked.take_value(flag, value)?;
                break;
            }
            asked.take_flag(flag)?;
        }
    }
    Ok(asked)
}

impl Asked {
    fn take_flag(&mut self, flag: u8) -> Result<(), String> {
        match flag {
            b'?' | b'h' => (self.version, self.help) = (true, true),
            b'v' => self.version = true,
            b'V' => (self.version, self.configured) = (true, true),
            b't' => self.test = true,
            b'T' => (self.test, self.dump) = (true, true),
            b'q' => self.quiet = true,
            other => return Err(format!("invalid option: \"{}\"", char::from(other))),
        }
        Ok(())
    }

    fn take_value(&mut self, flag: u8, value: Option<OsString>) -> Result<(), String> {
        let what = match flag {
            b'p' => "directory name",
            b'e' | b'c' => "file name",
            _ => "parameter",
        };
        let wanted = || format!("option \"-{}\" requires {what}", char::from(flag));
        let value = value.filter(|value| !value.is_empty()).ok_or_else(wanted)?;
        match flag {
            b'p' => self.prefix = Some(value.into()),
            b'e' => self.error_log = Some(value.into()),
            b'c' => self.config = Some(value.into()),
            b'g' => self.globals = Some(value.to_string_lossy().into_owned()),
            _ => {
                let known = SIGNALS.iter().find(|(name, _)| value == *name).map(|(_, what)| *what);
                self.signal = Some(known.ok_or_else(|| format!("invalid option: \"-s {}\"", value.display()))?);
            }
        }
        Ok(())
    }
}

fn show_version(asked: &Asked) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    writeln!(stderr, "nginx version: nginx/{NGINX_VERSION} (bedloe/{})", env!("CARGO_PKG_VERSION"))?;
    if asked.help {
        return writeln!(stderr, "{HELP}");
    }
    if asked.configured {
        writeln!(
            stderr,
            "built with rustls and aws-lc-rs\nTLS SNI support enabled\nconfigure arguments: {CONFIGURED}"
        )?;
    }
    Ok(())
}

/// `-t` and `-T`.
fn test(source: &Source, dump: bool, quiet: bool) -> io::Result<ExitCode> {
    let checked = check::load(&System, source);
    let loaded = &checked.loaded;
    findings::print(loaded, if quiet { Severity::Error } else { Severity::Warning })?;
    let path = source.path.display();
    if loaded.config.is_none() {
        crate::say(format_args!("configuration file {path} test failed"));
        return Ok(ExitCode::FAILURE);
    }
    if !quiet {
        crate::say(format_args!("the configuration file {path} syntax is ok"));
        crate::say(format_args!("configuration file {path} test is successful"));
    }
    if dump {
        check::print_files(loaded)?;
    }
    // The process ends here.
    std::mem::forget(checked);
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Asked, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn flags_are_read_as_nginx_reads_them() {
        let base = Asked::default;
        let path = |text: &str| Some(PathBuf::from(text));
        let cases = [
            ("", base()),
            ("-t", Asked { test: true, ..base() }),
            ("-tq", Asked { test: true, quiet: true, ..base() }),
            ("-T -q", Asked { test: true, dump: true, quiet: true, ..base() }),
            ("-V", Asked { version: true, configured: true, ..base() }),
            ("-h", Asked { version: true, help: true, ..base() }),
            ("-?", Asked { version: true, help: true, ..base() }),
            (
                "-c a.conf -p/p -e stderr",
                Asked { config: path("a.conf"), prefix: path("/p"), error_log: path("stderr"), ..base() },
            ),
            ("-qs reload", Asked { quiet: true, signal: Some(What::Reload), ..base() }),
            ("-sstop", Asked { signal: Some(What::Stop), ..base() }),
            ("-tc a", Asked { test: true, config: path("a"), ..base() }),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_nginx_s_words() {
        let cases = [
            ("start", "invalid option: \"start\""),
            ("-x", "invalid option: \"x\""),
            ("-s foo", "invalid option: \"-s foo\""),
            ("-s", "option \"-s\" requires parameter"),
            ("-c", "option \"-c\" requires file name"),
            ("-p", "option \"-p\" requires directory name"),
            ("-g", "option \"-g\" requires parameter"),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line), Err(expected.to_owned()), "{line}");
        }
    }
}
