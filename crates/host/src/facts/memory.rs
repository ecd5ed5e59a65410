//! `/proc/meminfo`, under the kernel's own names.

use super::Snapshot;
use super::files::Files;

/// Lines that are read; the kernel has some sixty.
const LINES_MAX: usize = 256;

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// The kernel's name, what is in brackets behind a `_`: `MemTotal`, `Active_anon`.
    pub name: String,
    /// Bytes, or how many there are.
    pub value: u64,
    /// Whether it is bytes: huge pages are counted.
    pub is_bytes: bool,
}

pub(super) fn read(files: &mut Files, seen: &mut Snapshot) {
    let Some(text) = files.read_again("proc/meminfo") else { return };
    seen.memory.extend(text.lines().take(LINES_MAX).filter_map(memory));
}

fn memory(line: &str) -> Option<Memory> {
    let (name, rest) = line.split_once(':')?;
    let mut words = rest.split_ascii_whitespace();
    let value: u64 = words.next()?.parse().ok()?;
    let is_bytes = words.next() == Some("kB");
    let name = name.trim_end_matches(')').replace('(', "_");
    Some(Memory { name, value: if is_bytes { value.saturating_mul(1024) } else { value }, is_bytes })
}
