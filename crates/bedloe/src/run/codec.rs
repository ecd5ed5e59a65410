//! Values as bytes, for what master and worker tell each other: numbers, texts, lists. Both ends are the same program
//! of the same version, so there is no description of the fields; a reader takes them in the order they were written.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Why a message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Torn;

/// Writes values.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn number(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(super) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.number(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    pub(super) fn path(&mut self, value: &Path) -> &mut Self {
        self.bytes(value.as_os_str().as_bytes())
    }

    /// A value that may be missing.
    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl Fn(&mut Self, T)) -> &mut Self {
        self.list(value.into_iter(), write)
    }

    pub(super) fn list<T>(
        &mut self,
        values: impl ExactSizeIterator<Item = T>,
        write: impl Fn(&mut Self, T),
    ) -> &mut Self {
        self.number(values.len() as u64);
        values.for_each(|value| write(self, value));
        self
    }

    pub(super) fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// Reads values in the order they were written.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn number(&mut self) -> Result<u64, Torn> {
        let (value, rest) = self.0.split_first_chunk().ok_or(Torn)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*value))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Torn> {
        let length = usize::try_from(self.number()?).map_err(|_| Torn)?;
        let (value, rest) = self.0.split_at_checked(length).ok_or(Torn)?;
        self.0 = rest;
        Ok(value)
    }

    pub(super) fn text(&mut self) -> Result<String, Torn> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Torn)
    }

    pub(super) fn path(&mut self) -> Result<PathBuf, Torn> {
        Ok(PathBuf::from(OsStr::from_bytes(self.bytes()?)))
    }

    pub(super) fn option<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, Torn>) -> Result<Option<T>, Torn> {
        Ok(self.list(read)?.pop())
    }

    pub(super) fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, Torn>) -> Result<Vec<T>, Torn> {
        let length = self.number()?;
        // No room is set aside: a length is only as true as the bytes behind it.
        (0..length).map(|_| read(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_torn_is_refused() {
        let mut writer = Writer::default();
        writer.number(7).text("a").option(Some("b"), |w, text| {
            w.text(text);
        });
        writer.list([Path::new("/c"), Path::new("d")].into_iter(), |w, path| {
            w.path(path);
        });
        let bytes = writer.end();
        let read = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let first = (reader.number()?, reader.text()?, reader.option(Reader::text)?);
            Ok::<_, Torn>((first, reader.list(Reader::path)?))
        };
        let paths = vec![PathBuf::from("/c"), PathBuf::from("d")];
        assert_eq!(read(&bytes), Ok(((7, "a".to_owned(), Some("b".to_owned())), paths)));
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]), Err(Torn), "{length}");
        }
        assert_eq!(Reader::new(&[0xff; 16]).list(Reader::text), Err(Torn));
    }
}
