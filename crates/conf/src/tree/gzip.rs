//! What a configuration says of compression.

use crate::tree::Pattern;

/// `gzip` and its like.
#[derive(Debug, Clone)]
pub struct GzipSettings {
    /// `gzip on`.
    pub is_on: bool,
    /// `gzip_types`; `*` is any.
    pub types: Vec<String>,
    /// `gzip_comp_level`.
    pub level: u32,
    /// `gzip_min_length`.
    pub min_length: u64,
    /// `gzip_proxied`.
    pub proxied: GzipProxied,
    /// `gzip_vary`.
    pub varies: bool,
    /// `gzip_http_version 1.0`.
    pub http10: bool,
    /// `gzip_disable`: browsers that get nothing compressed.
    pub disabled: Vec<Pattern>,
    /// `gzip_disable msie6`.
    pub disables_msie6: bool,
    /// `gzip_static`.
    pub files: GzipFiles,
    /// `gunzip`: what comes packed goes unpacked to clients that do not take it so.
    pub unpacks: bool,
}

/// `gzip_proxied`: which answers are compressed for a request that another proxy has passed on (`Via`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation: they are nginx's")]
pub struct GzipProxied {
    pub any: bool,
    pub expired: bool,
    pub no_cache: bool,
    pub no_store: bool,
    pub private: bool,
    pub no_last_modified: bool,
    pub no_etag: bool,
    pub auth: bool,
}

/// The words of `gzip_static`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GzipFiles {
    /// Files are what they are.
    Off,
    /// One that lies compressed beside another goes to clients that take it.
    On,
    /// It goes to all of them.
    Always,
}
