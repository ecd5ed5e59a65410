//! The address of a request: `http[s]://host[:port][/path][?query]`.
//!
//! Left out: user and password, other schemes, and anything that would have to be escaped first.

/// The longest address; servers take about this much in a request line.
const LONGEST: usize = 8 * 1024;

/// An address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What goes into the `Host` field: as written, a default port left out.
    pub(crate) authority: String,
    /// What goes into the request line.
    pub(crate) target: String,
}

impl Url {
    /// Whether a text could be an address, of another scheme or of none.
    pub(crate) fn is_of_other_scheme(text: &str) -> bool {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        !text.starts_with(':') && !["http", "https"].iter().any(|own| scheme.eq_ignore_ascii_case(own))
    }

    /// Takes an address apart; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("the address is longer than 8 KiB");
        }
        if text.bytes().any(|byte| byte <= b' ' || byte >= 0x7f) {
            return Err("the address holds a space or another character that must be written as %XX");
        }
        let text = text.split('#').next().unwrap_or(text);
        let (tls, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            _ => return Err("want an address that begins with http:// or https://"),
        };
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("user and password in the address are not served");
        }
        let (host, port) = split_port(authority)?;
        let default = if tls { 443 } else { 80 };
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let port = port.unwrap_or(default);
        let shown = authority.strip_suffix(&format!(":{default}")).or(authority.strip_suffix(':')).unwrap_or(authority);
        Ok(Self { tls, host: host.to_owned(), port, authority: shown.to_owned(), target })
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("the IPv6 address lacks its closing bracket")?;
            (
                host,
                if after.is_empty() {
                    None
                } else {
                    Some(after.strip_prefix(':').ok_or("want a port after the bracket")?)
                },
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err("the address has no host");
    }
    match port {
        None | Some("") => Ok((host, None)),
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => Ok((host, Some(port))),
            _ => Err("want a port between 1 and 65535"),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, tls, host, port, authority, target) in [
            ("http://a", false, "a", 80, "a", "/"),
            ("https://a.b:8443/x?y=1#z", true, "a.b", 8443, "a.b:8443", "/x?y=1"),
            ("HTTPS://a:443?q", true, "a", 443, "a", "/?q"),
            ("http://[::1]:8080/", false, "::1", 8080, "[::1]:8080", "/"),
            ("http://a:/", false, "a", 80, "a", "/"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.tls, url.host.as_str(), url.port), (tls, host, port), "{text}");
            assert_eq!((url.authority.as_str(), url.target.as_str()), (authority, target), "{text}");
        }
    }

    #[test]
    fn others_are_refused() {
        for text in
            ["", "a", "ftp://a", "http://", "http://:80", "http://a:b", "http://a:0", "http://a:70000", "http://u:p@a"]
        {
            assert!(Url::parse(text).is_err(), "{text}");
        }
        for text in ["http://[::1", "http://[::1]x", "http://a/ b", "http://a/\n", "http://ä"] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }
}
