//! What a server or location does with every answer: pages for errors, fields that are added.

use conf::Shared;
use conf::tree::{self, LocationSettings};

use crate::gzip::Gzip;
use crate::names::Names;
use crate::text::Text;

/// What becomes of answers.
#[derive(Debug, Default)]
pub struct Finish {
    /// `error_page`s, in the order written.
    pub pages: Vec<ErrorPage>,
    /// `recursive_error_pages`.
    pub pages_recur: bool,
    /// `add_header`s, in the order written.
    pub headers: Vec<AddedHeader>,
    /// Whether one of them takes the place of the answer's own.
    pub replaces: bool,
    /// `add_trailer`s, in the order written.
    pub trailers: Vec<AddedHeader>,
    /// `limit_rate`.
    pub limit_rate: Option<Text>,
    /// `limit_rate_after`.
    pub limit_rate_after: Option<Text>,
    /// `expires`.
    pub expires: Option<Expires>,
    /// `charset`.
    pub charset: Option<Charset>,
    /// Whether there is one of these two.
    pub dresses: bool,
    /// `gzip`, or `gzip_static`.
    pub gzip: Option<Gzip>,
}

/// `expires`.
#[derive(Debug)]
pub enum Expires {
    /// The same for each answer.
    Fixed(tree::Expires),
    /// What a text says, and whether `modified` stands before it.
    Text(Text, bool),
}

/// `charset`.
#[derive(Debug)]
pub struct Charset {
    /// Its name; `off` and nothing are none.
    pub name: Text,
    /// The charset that content comes in.
    pub source: Option<Text>,
    /// Whether content is converted that names its charset.
    pub overrides: bool,
    types: Shared<Vec<String>>,
}

/// `error_page`.
#[derive(Debug)]
pub struct ErrorPage {
    statuses: Vec<u16>,
    /// The status of the answer; 0 is that of whoever answers, `None` the error's.
    pub status: Option<u16>,
    /// A path, a named location, or an address.
    pub target: Text,
}

/// `add_header`.
#[derive(Debug)]
pub struct AddedHeader {
    /// Its name, a colon and a space.
    pub prefix: Vec<u8>,
    /// Its value; where it renders empty nothing is added.
    pub value: Text,
    always: bool,
    /// Whether it takes the place of the answer's own: one that has a single value.
    pub replaces: bool,
}

impl Finish {
    pub(crate) fn compile(settings: &LocationSettings, names: &Names) -> Self {
        let page = |page: &tree::ErrorPage| ErrorPage {
            statuses: page.statuses.clone(),
            status: page.status,
            target: Text::compile(&page.target, names),
        };
        let header = |header: &tree::AddedHeader| AddedHeader {
            prefix: format!("{}: ", header.name).into_bytes(),
            value: Text::compile(&header.value, names),
            always: header.always,
            replaces: ["last-modified", "etag"].iter().any(|name| header.name.eq_ignore_ascii_case(name)),
        };
        let headers: Vec<_> = settings.add_headers.iter().map(header).collect();
        Self {
            trailers: settings.add_trailers.iter().map(header).collect(),
            limit_rate: settings.limit_rate.as_ref().map(|rate| Text::compile(rate, names)),
            limit_rate_after: settings.limit_rate_after.as_ref().map(|after| Text::compile(after, names)),
            replaces: headers.iter().any(|header| header.replaces),
            headers,
            pages: settings.error_pages.iter().map(page).collect(),
            pages_recur: settings.recursive_error_pages,
            gzip: Gzip::compile(settings, names),
            dresses: settings.expires.is_some() || settings.charset.is_some(),
            expires: settings.expires.as_ref().map(|rule| match rule {
                tree::ExpiresRule::Fixed(fixed) => Expires::Fixed(*fixed),
                tree::ExpiresRule::Text { text, since_modified } => {
                    Expires::Text(Text::compile(text, names), *since_modified)
                }
            }),
            charset: settings.charset.as_ref().map(|name| Charset {
                name: Text::compile(name, names),
                source: settings.source_charset.as_ref().map(|source| Text::compile(source, names)),
                overrides: settings.override_charset,
                types: settings.charset_types.clone(),
            }),
        }
    }

    /// The page of a status.
    pub fn page(&self, status: u16) -> Option<&ErrorPage> {
        self.pages.iter().find(|page| page.statuses.contains(&status))
    }

    /// Whether one that is added to an answer of this status takes the place of its own.
    pub fn is_replaced(&self, name: &[u8], status: u16) -> bool {
        self.headers(status).any(|header| header.replaces && header.name().eq_ignore_ascii_case(name))
    }

    /// The fields that an answer of this status gets.
    pub fn headers(&self, status: u16) -> impl Iterator<Item = &AddedHeader> {
        let is_success = is_success(status);
        self.headers.iter().filter(move |header| header.always || is_success)
    }

    /// The trailers that an answer of this status gets.
    pub fn trailers(&self, status: u16) -> impl Iterator<Item = &AddedHeader> {
        let is_success = is_success(status);
        self.trailers.iter().filter(move |trailer| trailer.always || is_success)
    }
}

impl Charset {
    /// Whether content of this type, which names no charset itself, gets it.
    pub fn is_for(&self, media_type: &[u8]) -> bool {
        let bare = media_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
        self.types.iter().any(|listed| listed == "*" || bare.eq_ignore_ascii_case(listed.as_bytes()))
    }
}

impl AddedHeader {
    /// Its name as written.
    pub fn name(&self) -> &[u8] {
        &self.prefix[..self.prefix.len() - 2]
    }
}

/// Whether an answer of this status gets what is not for errors.
pub fn is_success(status: u16) -> bool {
    matches!(status, 200 | 201 | 204 | 206 | 301..=304 | 307 | 308)
}
