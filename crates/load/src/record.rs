//! What is recorded of a request: its sample under the tags that k6 gives it, and what went wrong.

use std::net::SocketAddr;

use wire::Version;

use crate::exchange::Exchange;
use crate::metric::{Recorder, RequestSample, SystemTag, TagsId, Who};

/// What the tags of a request say beside what became of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) name: &'a str,
    /// Of the answer.
    pub(crate) version: Version,
    /// Of TLS; empty without.
    pub(crate) tls: &'a str,
    /// Who answered, where that is known.
    pub(crate) remote: Option<SocketAddr>,
    /// Whether the answer is one that was expected; `None` where nothing says so.
    pub(crate) is_expected: Option<bool>,
    /// The script's own tags.
    pub(crate) own: &'a [(Box<str>, Box<str>)],
}

/// Records one request.
pub(crate) fn record(exchange: &Exchange, about: &About<'_>, recorder: &Recorder, base: TagsId, who: Who) {
    let Exchange { timings, status, failure, ended_ns, .. } = exchange;
    let error_code = failure.as_ref().map_or(0, |failure| failure.code);
    let (mut status_digits, mut code_digits) = ([0; 5], [0; 5]);
    let proto = match about.version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2.0",
    };
    let expected = about.is_expected.map_or("", |is_expected| if is_expected { "true" } else { "false" });
    let words = failure.as_ref().filter(|failure| !failure.is_status()).map_or("", |failure| &failure.text);
    let set = recorder.system_tags();
    let remote = about.remote.filter(|_| set.has(SystemTag::Ip));
    let ip = remote.map_or_else(String::new, |remote| remote.ip().to_string());
    let system = [
        (SystemTag::Error, "error", words),
        (SystemTag::ErrorCode, "error_code", if error_code == 0 { "" } else { digits(error_code, &mut code_digits) }),
        (SystemTag::ExpectedResponse, "expected_response", expected),
        (SystemTag::Ip, "ip", &ip),
        (SystemTag::Method, "method", about.method),
        (SystemTag::Name, "name", about.name),
        (SystemTag::Proto, "proto", if *status == 0 { "" } else { proto }),
        (SystemTag::Status, "status", digits(*status, &mut status_digits)),
        (SystemTag::TlsVersion, "tls_version", about.tls),
        (SystemTag::Url, "url", about.url),
    ];
    // What says nothing leaves a tag of that name as it is; an empty name is one that the script has given.
    let says = |(tag, _, value): &(SystemTag, &str, &str)| {
        set.has(*tag) && (!value.is_empty() || matches!(tag, SystemTag::Name | SystemTag::Url))
    };
    let (mut said, mut count) = ([("", ""); 10], 0);
    for (_, key, value) in system.into_iter().filter(says) {
        said[count] = (key, value);
        count += 1;
    }
    let said = &said[..count];
    let tags = if about.own.is_empty() {
        recorder.tags(base, said)
    } else {
        let own = about.own.iter().map(|(key, value)| (&**key, &**value)).filter(|(key, _)| *key != "name");
        let pairs: Vec<(&str, &str)> = own.chain(said.iter().copied()).collect();
        recorder.tags(base, &pairs)
    };
    let failed = about.is_expected.map(|is_expected| !is_expected);
    let sample = RequestSample { timings: *timings, ended_ns: *ended_ns, failed, error_code };
    recorder.request(&sample, tags, who);
    if let Some(failure) = failure.as_ref().filter(|_| failed == Some(true)) {
        recorder.failed(failure);
    }
}

/// A number as text, without allocating.
pub(crate) fn digits(mut number: u16, buffer: &mut [u8; 5]) -> &str {
    let mut at = buffer.len();
    while at == buffer.len() || number > 0 {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    std::str::from_utf8(&buffer[at..]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_written() {
        let texts = [0, 7, 200, 1050, 65_535].map(|number| super::digits(number, &mut [0; 5]).to_owned());
        assert_eq!(texts, ["0", "7", "200", "1050", "65535"]);
    }
}
