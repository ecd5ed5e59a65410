//! The field names that some part of the product asks for, recognised once while a head is parsed.
//!
//! One line a name; the enum, the texts and the lookup table come from it.

/// Slots of the lookup table, as a power of two: several times the number of names, so that a name that is not known
/// mostly meets an empty one.
const SLOT_BITS: u32 = 9;

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

/// A set of known names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownSet(u128);

impl KnownSet {
    /// The set of these names.
    #[must_use]
    pub const fn of(names: &[Known]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < names.len() {
            bits |= 1 << names[at] as u8;
            at += 1;
        }
        Self(bits)
    }

    /// Whether the name is in it.
    #[inline]
    #[must_use]
    pub fn contains(self, name: Known) -> bool {
        self.0 & 1 << name as u8 != 0
    }

    /// Whether a name is in both.
    #[inline]
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[inline]
    pub(crate) fn insert(&mut self, name: Known) {
        self.0 |= 1 << name as u8;
    }
}

// A bit for each.
const _: () = assert!(NAMES.len() <= u128::BITS as usize);

impl Known {
    /// Finds a name, in any case of letters.
    #[inline]
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let Some(slot) = slot(name, MULTIPLIER) else { return Self::Other };
        let (text, known) = NAMES[TABLE[slot] as usize];
        if is_name(text.as_bytes(), name) { known } else { Self::Other }
    }

    /// Whether the field says something of its message beyond its own value: framing, persistence, the host.
    #[inline]
    pub(crate) fn shapes_message(self) -> bool {
        matches!(
            self,
            Self::Host | Self::ContentLength | Self::TransferEncoding | Self::Connection | Self::Upgrade | Self::Expect
        )
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

/// Whether a field's name is this one, eight letters at a time, some of them twice.
#[inline]
fn is_name(lower: &[u8], name: &[u8]) -> bool {
    if lower.len() != name.len() {
        return false;
    }
    let (Some(lower_end), Some(name_end)) = (lower.last_chunk::<8>(), name.last_chunk::<8>()) else {
        return is_short_name(lower, name);
    };
    let (lower_words, _) = lower.as_chunks::<8>();
    let (name_words, _) = name.as_chunks::<8>();
    // At least one word is there; that the last one is repeated costs less than to know whether it is whole.
    is_word(lower_words[0], name_words[0])
        && is_word(*lower_end, *name_end)
        && (lower.len() <= 16
            || lower_words[1..].iter().zip(&name_words[1..]).all(|(lower, name)| is_word(*lower, *name)))
}

#[inline]
fn is_short_name(lower: &[u8], name: &[u8]) -> bool {
    match (lower.first_chunk::<4>(), name.first_chunk::<4>(), lower.last_chunk::<4>(), name.last_chunk::<4>()) {
        (Some(lower), Some(name), Some(lower_end), Some(name_end)) => {
            let joined = |[a, b, c, d]: [u8; 4], [e, f, g, h]: [u8; 4]| [a, b, c, d, e, f, g, h];
            is_word(joined(*lower, *lower_end), joined(*name, *name_end))
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

/// The number that gives each name a slot of its own, and the table that comes of it.
const MULTIPLIER: u32 = multiplier();
const TABLE: [u8; 1 << SLOT_BITS] = match table(MULTIPLIER) {
    Some(table) => table,
    None => panic!("the multiplier was tried"),
};

/// Tries numbers until one serves: one in some dozens does.
const fn multiplier() -> u32 {
    let mut number: u32 = 1;
    while table(number).is_none() {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) | 1;
    }
    number
}

/// For each slot the number of its name, 0 for none; nothing where two names would share one.
const fn table(multiplier: u32) -> Option<[u8; 1 << SLOT_BITS]> {
    let mut table = [0; 1 << SLOT_BITS];
    let mut index = 1;
    while index < NAMES.len() {
        let Some(at) = slot(NAMES[index].0.as_bytes(), multiplier) else { panic!("a known name is too short") };
        if table[at] != 0 {
            return None;
        }
        table[at] = index as u8;
        index += 1;
    }
    Some(table)
}

/// The slot of a name of two letters or more, from its length, its first letter and its last two, in either case.
#[inline]
const fn slot(name: &[u8], multiplier: u32) -> Option<usize> {
    let [first, .., end] = name else { return None };
    let before_end = name[name.len() - 2];
    let word = u32::from_le_bytes([before_end | 0x20, *end | 0x20, *first | 0x20, name.len() as u8]);
    Some((word.wrapping_mul(multiplier) >> (u32::BITS - SLOT_BITS)) as usize)
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
