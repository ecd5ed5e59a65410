//! Bodies that servers have compressed, and those of requests that scripts want compressed: gzip, deflate, br, zstd.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::failure::Failure;

/// The largest body after decompression: a small one can stand for a very large one.
const LARGEST: u64 = 256 << 20;

/// What a body is, given the value of its `Content-Encoding`; those that are not known are left as they are.
pub(crate) fn decoded(body: Vec<u8>, codings: &str) -> Result<Vec<u8>, Failure> {
    codings.rsplit(',').map(str::trim).try_fold(body, |body, coding| match coding.to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => all("gzip", MultiGzDecoder::new(&*body)),
        // Most servers mean zlib's form by it, some the bare one.
        "deflate" => all("deflate", ZlibDecoder::new(&*body)).or_else(|_| all("deflate", DeflateDecoder::new(&*body))),
        "br" => all("br", brotli::Decompressor::new(&*body, 4096)),
        "zstd" => match ruzstd::decoding::StreamingDecoder::new(&*body) {
            Ok(reader) => all("zstd", reader),
            Err(error) => Err(Failure { code: 1701, text: format!("the body is no zstd: {error}") }),
        },
        _ => Ok(body),
    })
}

/// The ways of [`encoded`].
pub(crate) const ENCODERS: [&str; 4] = ["gzip", "deflate", "zstd", "br"];
/// How hard brotli tries, and how far back it looks: as hard as is usual for what is compressed when it is sent.
const BROTLI: (usize, u32, u32) = (4096, 6, 22);

/// A body, compressed by one of [`ENCODERS`].
pub(crate) fn encoded(body: &[u8], way: &str) -> io::Result<Vec<u8>> {
    match way {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body)?;
            encoder.finish()
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body)?;
            encoder.finish()
        }
        "br" => {
            let mut out = Vec::new();
            let (buffer, quality, window) = BROTLI;
            brotli::CompressorReader::new(body, buffer, quality, window).read_to_end(&mut out)?;
            Ok(out)
        }
        _ => Ok(compress_to_vec(body, CompressionLevel::Fastest)),
    }
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
    use flate2::write::DeflateEncoder;

    use super::*;

    #[test]
    fn what_was_compressed_is_read_again() {
        let long = "a text that comes again and again, ".repeat(10_000).into_bytes();
        for body in [b"a".to_vec(), long] {
            for way in ENCODERS {
                let made = encoded(&body, way).unwrap();
                assert!(decoded(made, way).unwrap() == body, "{way} of {}", body.len());
            }
        }
        assert_eq!(decoded(b"no zstd".to_vec(), "zstd").unwrap_err().code, 1701);
    }

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
