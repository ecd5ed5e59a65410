//! The field names that some part of the product asks for, recognised once while a head is parsed.
//!
//! One line a name; the enum, the texts and the lookup table come from it.

/// Slots of the lookup table; a power of two, several times the number of names, so that a name that is not known
/// mostly meets an empty slot.
const SLOTS: usize = 512;

macro_rules! known {
    ($($variant:ident $text:literal,)*) => {
        /// A field name that has a meaning here, or `Other`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Known {
            /// Any other name.
            #[default]
            Other,
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        const NAMES: &[(&str, Known)] = &[("", Known::Other), $(($text, Known::$variant),)*];
    };
}

known! {
    Accept "accept",
    AcceptEncoding "accept-encoding",
    AcceptLanguage "accept-language",
    AcceptRanges "accept-ranges",
    Age "age",
    Allow "allow",
    AltSvc "alt-svc",
    Authorization "authorization",
    CacheControl "cache-control",
    Connection "connection",
    ContentDisposition "content-disposition",
    ContentEncoding "content-encoding",
    ContentLanguage "content-language",
    ContentLength "content-length",
    ContentLocation "content-location",
    ContentRange "content-range",
    ContentType "content-type",
    Cookie "cookie",
    Date "date",
    Etag "etag",
    Expect "expect",
    Expires "expires",
    Forwarded "forwarded",
    Host "host",
    Http2Settings "http2-settings",
    IfMatch "if-match",
    IfModifiedSince "if-modified-since",
    IfNoneMatch "if-none-match",
    IfRange "if-range",
    IfUnmodifiedSince "if-unmodified-since",
    KeepAlive "keep-alive",
    LastModified "last-modified",
    Location "location",
    MaxForwards "max-forwards",
    Origin "origin",
    Pragma "pragma",
    ProxyAuthenticate "proxy-authenticate",
    ProxyAuthorization "proxy-authorization",
    ProxyConnection "proxy-connection",
    Range "range",
    Referer "referer",
    Refresh "refresh",
    RetryAfter "retry-after",
    Server "server",
    SetCookie "set-cookie",
    StrictTransportSecurity "strict-transport-security",
    Te "te",
    Trailer "trailer",
    TransferEncoding "transfer-encoding",
    Upgrade "upgrade",
    UserAgent "user-agent",
    Vary "vary",
    Via "via",
    WwwAuthenticate "www-authenticate",
    XAccelBuffering "x-accel-buffering",
    XAccelCharset "x-accel-charset",
    XAccelExpires "x-accel-expires",
    XAccelLimitRate "x-accel-limit-rate",
    XAccelRedirect "x-accel-redirect",
    XForwardedFor "x-forwarded-for",
    XForwardedHost "x-forwarded-host",
    XForwardedPort "x-forwarded-port",
    XForwardedProto "x-forwarded-proto",
    XPad "x-pad",
    XRealIp "x-real-ip",
    XRequestId "x-request-id",
}

impl Known {
    /// Finds a name, in any case of letters.
    #[inline]
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let Some(mut slot) = slot(name) else { return Self::Other };
        loop {
            let (text, known) = NAMES[TABLE[slot] as usize];
            if known == Self::Other || is_name(text.as_bytes(), name) {
                return known;
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// The name in small letters; empty for `Other`.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[self as usize].0
    }

    /// Whether the field concerns one connection only, whatever `Connection` says (RFC 9110 7.6.1). `Trailer` is not
    /// among them: trailers are forwarded, and so is their announcement.
    #[inline]
    #[must_use]
    pub fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::KeepAlive
                | Self::ProxyConnection
                | Self::Te
                | Self::TransferEncoding
                | Self::Upgrade
                | Self::Http2Settings
        )
    }
}

/// Whether a field's name is this one, eight letters at a time; the last eight may have been looked at already.
#[inline]
fn is_name(lower: &[u8], name: &[u8]) -> bool {
    if lower.len() != name.len() {
        return false;
    }
    if let (Some(lower_end), Some(name_end)) = (lower.last_chunk::<8>(), name.last_chunk::<8>()) {
        let (words, _) = lower.as_chunks::<8>();
        let (name_words, _) = name.as_chunks::<8>();
        let mut pairs = words.iter().zip(name_words);
        return is_word(*lower_end, *name_end) && pairs.all(|(lower, name)| is_word(*lower, *name));
    }
    match (lower, name) {
        ([a, b, c, d, ..], [e, f, g, h, ..]) => {
            let (lower_end, name_end) = (&lower[lower.len() - 4..], &name[name.len() - 4..]);
            let joined = |[a, b, c, d]: [u8; 4], end: &[u8]| [a, b, c, d, end[0], end[1], end[2], end[3]];
            is_word(joined([*a, *b, *c, *d], lower_end), joined([*e, *f, *g, *h], name_end))
        }
        _ => name.eq_ignore_ascii_case(lower),
    }
}

/// Whether eight bytes are these. Of the characters in known names only the letters have bit 0x40: those may come
/// without the bit that small letters have, all others must be the same.
#[inline]
fn is_word(lower: [u8; 8], name: [u8; 8]) -> bool {
    const LETTER: u64 = 0x4040_4040_4040_4040;
    let lower = u64::from_le_bytes(lower);
    u64::from_le_bytes(name) | (lower & LETTER) >> 1 == lower
}

const TABLE: [u8; SLOTS] = table();

const fn table() -> [u8; SLOTS] {
    let mut table = [0; SLOTS];
    let mut index = 1;
    while index < NAMES.len() {
        let Some(mut at) = slot(NAMES[index].0.as_bytes()) else { panic!("a known name is empty") };
        while table[at] != 0 {
            at = (at + 1) % SLOTS;
        }
        table[at] = index as u8;
        index += 1;
    }
    table
}

/// The slot where the search for a name starts, from its length, first and last letter in either case.
#[inline]
const fn slot(name: &[u8]) -> Option<usize> {
    match name {
        [] => None,
        [first, .., last] => Some((name.len() * 61 + (*first | 0x20) as usize * 7 + (*last | 0x20) as usize) % SLOTS),
        [one] => Some((*one | 0x20) as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for &(text, known) in &NAMES[1..] {
            assert_eq!(Known::of(text.as_bytes()), known);
            assert_eq!(Known::of(text.to_ascii_uppercase().as_bytes()), known);
            assert_eq!(known.name(), text);
        }
    }

    #[test]
    fn other_names_are_other() {
        for name in [
            "",
            "x",
            "hos",
            "hosts",
            "x-forwarded-for2",
            "content_length",
            "content\rlength",
            "$WSRA",
            "\u{212a}eep-alive",
        ] {
            assert_eq!(Known::of(name.as_bytes()), Known::Other, "{name}");
        }
    }
}
