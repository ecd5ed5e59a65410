//! What a configuration says of files: where they are, what they are called, which of them stands for a folder.

use std::collections::BTreeMap;

use crate::shared::Shared;
use crate::template::Template;

/// How files are served.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// `root` or `alias`.
    pub root: Root,
    /// `index`: files that stand for their folder, in the order they are looked for.
    pub index: Vec<Template>,
    /// `types`: by the end of a name, in small letters.
    pub types: Shared<BTreeMap<String, String>>,
    /// `default_type`; no type at all where it is empty.
    pub default_type: String,
    /// `etag`.
    pub etag: bool,
    /// `if_modified_since`.
    pub if_modified_since: IfModifiedSince,
    /// `max_ranges`; 0 serves whole files only.
    pub max_ranges: u64,
    /// `log_not_found`.
    pub log_not_found: bool,
    /// `autoindex`.
    pub listing: Listing,
    /// `disable_symlinks`.
    pub links: Links,
}

/// `disable_symlinks`.
#[derive(Debug, Clone)]
pub struct Links {
    /// What is refused.
    pub rule: LinkRule,
    /// `from`: the beginning of paths in which links are followed all the same.
    pub from: Option<Template>,
}

/// The words of `disable_symlinks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkRule {
    /// Nothing is.
    Follow,
    /// Any link.
    Refuse,
    /// Links to what has another owner.
    OfOwner,
}

/// `autoindex` and its like: what a folder without an index is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// `autoindex on`.
    pub is_on: bool,
    /// `autoindex_format`.
    pub format: ListFormat,
    /// `autoindex_exact_size`.
    pub exact_size: bool,
    /// `autoindex_localtime`.
    pub local_time: bool,
}

/// The words of `autoindex_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFormat {
    /// A page.
    Html,
    /// JSON.
    Json,
    /// The same within a call of the function that the argument `callback` names.
    Jsonp,
    /// XML.
    Xml,
}

/// The folder that paths lead into.
#[derive(Debug, Clone)]
pub struct Root {
    /// As written; absolute, unless it begins with a variable.
    pub path: Template,
    /// What a relative path is below that variables make.
    pub prefix: String,
    /// What of the request's path follows it.
    pub kind: RootKind,
}

/// What of a request's path follows the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootKind {
    /// `root`: all of it.
    Root,
    /// `alias`: what follows so many bytes, the path of the location that it stands in.
    Alias(usize),
    /// `alias` in a location for a regular expression: nothing.
    Whole,
}

/// The words of `if_modified_since`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfModifiedSince {
    /// The field means nothing.
    Off,
    /// A file was modified if its time is another.
    Exact,
    /// A file was modified if its time is later.
    Before,
}

/// `try_files`.
#[derive(Debug, Clone)]
pub struct TryFiles {
    /// What is looked for, in this order.
    pub paths: Vec<TryPath>,
    /// Where the request goes if nothing of it is there.
    pub last: TryLast,
}

/// A path that `try_files` looks for.
#[derive(Debug, Clone)]
pub struct TryPath {
    /// The path, without a slash at its end.
    pub path: Template,
    /// Whether it must be a folder, else a file.
    pub is_folder: bool,
}

/// The last word of `try_files`.
#[derive(Debug, Clone)]
pub enum TryLast {
    /// `=CODE`.
    Status(u16),
    /// A path with its arguments, or a named location (`@...`).
    Target(Template),
}
