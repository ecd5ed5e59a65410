//! Directives for compression.

use super::errors::media_types;
use super::{Apply, Contexts, Directive, Ignored, Takes, no_effect};
use crate::build::{Call, Inherited, Outcome, compiled};
use crate::tree::{GzipFiles, GzipProxied};

/// Expressions for browsers: each is tried on every request that would get something compressed.
const DISABLED_MAX: usize = 64;

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "gzip",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether answers go compressed to clients that take them so.",
        example: "gzip on;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.gzip.is_on = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "gunzip",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether answers that are compressed go unpacked to clients that do not take them so.",
        example: "gunzip on;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.gzip.unpacks = call.switch(0)?;
            Ok(())
        }),
    },
    no_effect(
        "gunzip_buffers",
        Contexts::REQUEST,
        Ignored::Buffers,
        "gunzip_buffers 32 4k;",
        "what is unpacked leaves piece by piece",
    )
    .taking(Takes::exactly(2)),
    Directive {
        name: "gzip_types",
        contexts: Contexts::REQUEST,
        takes: Takes::at_least(1),
        repeats: false,
        default: "text/html",
        doc: "The types that are compressed, beside text/html; * is any.",
        example: "gzip_types text/css application/javascript application/json;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.gzip.types = media_types(call)?;
            Ok(())
        }),
    },
    Directive {
        name: "gzip_comp_level",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "1",
        doc: "How much work is put into compressing: 1 to 9.",
        example: "gzip_comp_level 5;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.gzip.level = u32::try_from(call.number_to(0, 1, 9)?).unwrap_or(1);
            Ok(())
        }),
    },
    Directive {
        name: "gzip_min_length",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "20",
        doc: "Bytes from which on an answer that tells its length is compressed.",
        example: "gzip_min_length 1000;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.gzip.min_length = call.size(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "gzip_proxied",
        contexts: Contexts::REQUEST,
        takes: Takes::at_least(1),
        repeats: false,
        default: "off",
        doc: "Which answers are compressed for requests that another proxy has passed on (Via).",
        example: "gzip_proxied any;",
        apply: Apply::Inherited(proxied),
    },
    Directive {
        name: "gzip_vary",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether answers that may be compressed say so to caches: Vary: Accept-Encoding.",
        example: "gzip_vary on;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.gzip.varies = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "gzip_http_version",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "1.1",
        doc: "The least HTTP version of requests whose answers are compressed.",
        example: "gzip_http_version 1.0;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.gzip.http10 = match call.text(0) {
                "1.0" => true,
                "1.1" => false,
                _ => return Err(call.unknown_word(0, "version", ["1.0", "1.1"])),
            };
            Ok(())
        }),
    },
    Directive {
        name: "gzip_disable",
        contexts: Contexts::REQUEST,
        takes: Takes::at_least(1),
        repeats: true,
        default: "",
        doc: "Browsers that get nothing compressed: expressions for User-Agent, or msie6.",
        example: "gzip_disable msie6;",
        apply: Apply::Inherited(disable),
    },
    Directive {
        name: "gzip_static",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether a file that lies compressed beside another (FILE.gz) goes in its place.",
        example: "gzip_static on;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.gzip.files = match call.text(0) {
                "off" => GzipFiles::Off,
                "on" => GzipFiles::On,
                "always" => GzipFiles::Always,
                _ => return Err(call.unknown_word(0, "rule", ["on", "off", "always"])),
            };
            Ok(())
        }),
    },
    no_effect(
        "gzip_buffers",
        Contexts::REQUEST,
        Ignored::Buffers,
        "gzip_buffers 16 8k;",
        "pieces are sent as they come",
    )
    .taking(Takes::exactly(2)),
];

fn proxied(level: &mut Inherited, call: &Call<'_>, _: &mut crate::build::Cx<'_>) -> Outcome {
    const WORDS: [&str; 9] =
        ["off", "any", "expired", "no-cache", "no-store", "private", "no_last_modified", "no_etag", "auth"];
    let mut proxied = GzipProxied::default();
    for (index, word) in call.args().iter().enumerate() {
        match word.text.as_str() {
            "off" => {}
            "any" => proxied.any = true,
            "expired" => proxied.expired = true,
            "no-cache" => proxied.no_cache = true,
            "no-store" => proxied.no_store = true,
            "private" => proxied.private = true,
            "no_last_modified" => proxied.no_last_modified = true,
            "no_etag" => proxied.no_etag = true,
            "auth" => proxied.auth = true,
            _ => return Err(call.unknown_word(index, "kind of answer", WORDS)),
        }
    }
    level.settings.gzip.proxied = proxied;
    Ok(())
}

fn disable(level: &mut Inherited, call: &Call<'_>, _: &mut crate::build::Cx<'_>) -> Outcome {
    let gzip = &mut *level.settings.gzip;
    if call.first {
        gzip.disabled.clear();
        gzip.disables_msie6 = false;
    }
    for (index, word) in call.args().iter().enumerate() {
        match word.text.as_str() {
            "msie6" => gzip.disables_msie6 = true,
            _ if gzip.disabled.len() == DISABLED_MAX => {
                return Err(call.invalid(index, format!("there are {DISABLED_MAX} of them already")));
            }
            source => gzip.disabled.push(compiled(word, source, true)?),
        }
    }
    Ok(())
}
