//! What this process uses, read from the kernel for one scrape.

use proxy::Status;

/// This process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Process {
    pub(super) cpu_ms: u64,
    pub(super) resident_bytes: u64,
    pub(super) threads: u64,
    pub(super) open_files: u64,
    pub(super) files_max: u64,
    /// Since 1970.
    pub(super) started_ms: u64,
}

impl Process {
    /// Reads it. What the kernel does not say is 0.
    pub(crate) fn read(status: &Status) -> Self {
        let usage = host::process::usage(std::process::id()).unwrap_or_default();
        Self {
            cpu_ms: usage.cpu_ms,
            resident_bytes: usage.resident_bytes,
            threads: usage.threads,
            open_files: std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
            files_max: host::files::limit().unwrap_or(0),
            started_ms: net::clock::unix_ms().saturating_sub(status.uptime_ms),
        }
    }
}
