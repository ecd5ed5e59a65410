//! What the master read to understand a configuration, so that the worker, which may read no file, understands the
//! same.
//!
//! The master reads through a [`Recorder`]: files, folders, names of hosts. The worker gets the [`Record`] and reads
//! from it instead. Certificates and keys are in it too: they pass from process to process and touch no disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use conf::{Loader, Options};

use super::codec::{Reader, Torn, Writer};
use crate::files::System;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    files: BTreeMap<PathBuf, Vec<u8>>,
    folders: BTreeMap<PathBuf, Vec<PathBuf>>,
    hosts: BTreeMap<(String, u16), Vec<SocketAddr>>,
}

/// The machine's disk and resolver, with a record of what they said.
#[derive(Debug, Default)]
pub(super) struct Recorder(RefCell<Record>);

impl Recorder {
    /// Reads a file that the configuration names.
    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = System.read(path)?;
        self.0.borrow_mut().files.insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    pub(super) fn into_record(self) -> Record {
        self.0.into_inner()
    }
}

impl Loader for Recorder {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Self::read(self, path)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let paths = System.glob(pattern)?;
        self.0.borrow_mut().folders.insert(pattern.to_owned(), paths.clone());
        Ok(paths)
    }

    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let addresses = System.resolve(host, port)?;
        self.0.borrow_mut().hosts.insert((host.to_owned(), port), addresses.clone());
        Ok(addresses)
    }
}

impl Record {
    /// Takes what is in a file now; what was there where it cannot be read.
    pub(super) fn read_again(&mut self, path: &Path) {
        if let Ok(bytes) = System.read(path) {
            self.files.insert(path.to_owned(), bytes);
        }
    }
}

impl Loader for Record {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(missing)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        self.folders.get(pattern).cloned().ok_or_else(missing)
    }

    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.hosts.get(&(host.to_owned(), port)).cloned().ok_or_else(missing)
    }
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the master has not read it")
}

/// A configuration as the master understood it: what to read, how, and what was there.
#[derive(Debug, Clone, Default)]
pub(super) struct Understood {
    pub(super) path: PathBuf,
    pub(super) options: Options,
    pub(super) record: Record,
}

impl Understood {
    /// The configuration, as the master has it.
    pub(super) fn load(&self) -> Option<conf::tree::Config> {
        conf::load(&self.path, &self.record, &self.options).config
    }

    pub(super) fn write(&self, to: &mut Writer) {
        let Self { path, options, record } = self;
        let put_path = |w: &mut Writer, path: &Path| {
            w.path(path);
        };
        to.path(path).path(&options.prefix);
        to.option(options.globals.as_deref(), |w, text| {
            w.text(text);
        });
        to.option(options.error_log.as_deref(), put_path);
        to.path(&options.access_log_default).path(&options.error_log_default).path(&options.pid_default);
        to.path(&options.client_body_temp_default).text(&options.hostname);
        to.list(record.files.iter(), |w, (path, bytes)| {
            w.path(path).bytes(bytes);
        });
        to.list(record.folders.iter(), |w, (pattern, paths)| {
            w.path(pattern).list(paths.iter().map(PathBuf::as_path), put_path);
        });
        to.list(record.hosts.iter(), |w, ((host, port), addresses)| {
            w.text(host).number(u64::from(*port)).list(addresses.iter(), |w, address| {
                w.text(&address.to_string());
            });
        });
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Torn> {
        let path = from.path()?;
        let options = Options {
            prefix: from.path()?,
            globals: from.option(Reader::text)?,
            error_log: from.option(Reader::path)?,
            access_log_default: from.path()?,
            error_log_default: from.path()?,
            pid_default: from.path()?,
            client_body_temp_default: from.path()?,
            hostname: from.text()?,
            // It serves a warning, which the master has given.
            hard_nofile_limit: None,
        };
        let files = from.list(|r| Ok((r.path()?, r.bytes()?.to_vec())))?;
        let folders = from.list(|r| Ok((r.path()?, r.list(Reader::path)?)))?;
        let address = |r: &mut Reader<'_>| r.text()?.parse().map_err(|_| Torn);
        let hosts = from.list(|r| {
            let (host, port) = (r.text()?, u16::try_from(r.number()?).map_err(|_| Torn)?);
            Ok(((host, port), r.list(address)?))
        })?;
        let record = Record {
            files: files.into_iter().collect(),
            folders: folders.into_iter().collect(),
            hosts: hosts.into_iter().collect(),
        };
        Ok(Self { path, options, record })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn a_configuration_arrives_as_it_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let main = folder.path().join("nginx.conf");
        let text = "events {} http { include sites/*.conf; upstream a { server localhost:1; } }";
        std::fs::write(&main, text).unwrap();
        std::fs::create_dir(folder.path().join("sites")).unwrap();
        std::fs::write(folder.path().join("sites/a.conf"), "server { listen 8080; return 204; }").unwrap();
        let source = crate::files::Source::new(Some(main), Some(folder.path().to_owned()), Some("user a;".to_owned()));
        let recorder = Recorder::default();
        let loaded = conf::load(&source.path, &recorder, &source.options());
        let config = loaded.config.unwrap();
        let options = source.options();
        let understood = Understood { path: source.path, options, record: recorder.into_record() };
        let mut writer = Writer::default();
        understood.write(&mut writer);
        let bytes = writer.end();
        folder.close().unwrap();
        let read = Understood::read(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(read.record, understood.record);
        let again = read.load().unwrap();
        assert_eq!(format!("{:?}", again.http), format!("{:?}", config.http));
        assert!(Understood::read(&mut Reader::new(&bytes[..bytes.len() - 1])).is_err());
    }
}
