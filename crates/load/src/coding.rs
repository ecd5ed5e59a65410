//! Bodies that servers have compressed: gzip, deflate and br.
//!
//! Left out: zstd, whose bodies are handed to the script as they came.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::failure::Failure;

/// The largest body after decompression: a small one can stand for a very large one.
const LARGEST: u64 = 256 << 20;

/// What a body is, given the value of its `Content-Encoding`; those that are not known are left as they are.
pub(crate) fn decoded(body: Vec<u8>, codings: &str) -> Result<Vec<u8>, Failure> {
    codings.rsplit(',').map(str::trim).try_fold(body, |body, coding| match coding.to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => all("gzip", MultiGzDecoder::new(&*body)),
        // Most servers mean zlib's form by it, some the bare one.
        "deflate" => all("deflate", ZlibDecoder::new(&*body)).or_else(|_| all("deflate", DeflateDecoder::new(&*body))),
        "br" => all("br", brotli_decompressor::Decompressor::new(&*body, 4096)),
        _ => Ok(body),
    })
}

fn all(coding: &str, reader: impl Read) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    let failed = |why: &str| Failure { code: 1701, text: format!("the body is no {coding}: {why}") };
    reader.take(LARGEST + 1).read_to_end(&mut out).map_err(|error| failed(&error.to_string()))?;
    if out.len() as u64 > LARGEST {
        return Err(failed("it is larger than 256 MiB"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    #[test]
    fn bodies_are_read_whatever_their_coding() {
        let text = b"a text that comes again, a text that comes again".to_vec();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&text).unwrap();
        let gzip = gzip.finish().unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        bare.write_all(&text).unwrap();
        assert_eq!(decoded(gzip.clone(), "gzip").unwrap(), text);
        assert_eq!(decoded(zlib.finish().unwrap(), "Deflate").unwrap(), text);
        assert_eq!(decoded(bare.finish().unwrap(), "deflate").unwrap(), text);
        assert_eq!(decoded(gzip.clone(), "identity, GZIP").unwrap(), text);
        assert_eq!(decoded(text.clone(), "unheard-of").unwrap(), text);
        // An empty text, as brotli writes it.
        assert_eq!(decoded(vec![0x3b], "br").unwrap(), b"");
        assert_eq!(decoded(gzip[..20].to_vec(), "gzip").unwrap_err().code, 1701);
    }
}
