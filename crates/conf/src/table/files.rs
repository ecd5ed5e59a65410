//! Directives for files: where they are, their types, what a client is told of them, what is looked for first.

use std::collections::BTreeMap;

use super::{Apply, Contexts, Directive, Ignored, Takes, no_effect};
use crate::Diagnostic;
use crate::build::{Actions, Call, Cx, Inherited, Outcome, path_template};
use crate::template::{Part, Template};
use crate::tree::{IfModifiedSince, LinkRule, Links, ListFormat, Root, RootKind, TryFiles, TryLast, TryPath};

/// Names of files that stand for their folder, and paths of `try_files`: each is a look at the disk a request.
const NAMES_MAX: usize = 64;
/// Ends of names that have a type of their own; files that list them all have some 1,500.
const TYPES_MAX: usize = 10_000;
/// nginx's own bound for the status of `try_files`.
const MAX_STATUS: u64 = 999;

const UNUSED: &str = "bedloe does not speak that protocol";
const SMALL: &str = "files are read a small piece at a time, each request's anew";

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "root",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::exactly(1),
        repeats: false,
        default: "html",
        doc: "The folder that a request's path leads into.",
        example: "root /var/www/html;",
        apply: Apply::Inherited(|level, call, cx| root(level, call, cx, RootKind::Root)),
    },
    Directive {
        name: "alias",
        contexts: Contexts::LOCATION,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "What takes the place of the location's path, or with a regular expression, of the whole path.",
        example: "alias /var/www/images/;",
        apply: Apply::Inherited(|level, call, cx| root(level, call, cx, RootKind::Whole)),
    },
    Directive {
        name: "index",
        contexts: Contexts::REQUEST,
        takes: Takes::at_least(1),
        repeats: true,
        default: "index.html",
        doc: "Files that stand for their folder, the first that is there. One puts aside all from above.",
        example: "index index.html index.htm;",
        apply: Apply::Inherited(index),
    },
    Directive {
        name: "types",
        contexts: Contexts::REQUEST,
        takes: Takes::block(0, 0),
        repeats: true,
        default: "",
        doc: "Content-Type by the end of a name; html, gif, jpg where none is written. One puts aside all above.",
        example: "types { text/css css; }",
        apply: Apply::Inherited(types),
    },
    Directive {
        name: "default_type",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "text/plain",
        doc: "The Content-Type of all other names.",
        example: "default_type application/octet-stream;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.files.default_type = media_type(call, 0)?;
            Ok(())
        }),
    },
    Directive {
        name: "etag",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether a file's time and length are told as its ETag.",
        example: "etag off;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.files.etag = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "if_modified_since",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "exact",
        doc: "When a file is the one that If-Modified-Since speaks of: its time is the same, or not later (before).",
        example: "if_modified_since before;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.files.if_modified_since = match call.text(0) {
                "off" => IfModifiedSince::Off,
                "exact" => IfModifiedSince::Exact,
                "before" => IfModifiedSince::Before,
                _ => return Err(call.unknown_word(0, "rule", ["off", "exact", "before"])),
            };
            Ok(())
        }),
    },
    Directive {
        name: "max_ranges",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "Ranges that one request may ask for; more get the whole file. 0 serves whole files only.",
        example: "max_ranges 1;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.files.max_ranges = call.number(0, 0)?;
            Ok(())
        }),
    },
    Directive {
        name: "log_not_found",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether the error log tells of files that are not there.",
        example: "log_not_found off;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.files.log_not_found = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "try_files",
        contexts: Contexts::PLACES,
        takes: Takes::at_least(2),
        repeats: false,
        default: "",
        doc: "The first of these that is there is served; the last word says what becomes of the request if none is.",
        example: "try_files $uri $uri/ =404;",
        apply: Apply::Action(try_files),
    },
    Directive {
        name: "autoindex",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether a folder without an index is answered with a list of what is in it.",
        example: "autoindex on;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.files.listing.is_on = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "autoindex_exact_size",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "on",
        doc: "Whether such a list has sizes in bytes, else rounded.",
        example: "autoindex_exact_size off;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.files.listing.exact_size = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "autoindex_localtime",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether it has times by the local clock, else by that of Greenwich.",
        example: "autoindex_localtime on;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.files.listing.local_time = call.switch(0)?;
            Ok(())
        }),
    },
    Directive {
        name: "autoindex_format",
        contexts: Contexts::REQUEST,
        takes: Takes::exactly(1),
        repeats: false,
        default: "html",
        doc: "The form of such a list: html, json, jsonp or xml.",
        example: "autoindex_format json;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.files.listing.format = match call.text(0) {
                "html" => ListFormat::Html,
                "json" => ListFormat::Json,
                "jsonp" => ListFormat::Jsonp,
                "xml" => ListFormat::Xml,
                _ => return Err(call.unknown_word(0, "form", ["html", "json", "jsonp", "xml"])),
            };
            Ok(())
        }),
    },
    Directive {
        name: "disable_symlinks",
        contexts: Contexts::REQUEST,
        takes: Takes::between(1, 2),
        repeats: false,
        default: "off",
        doc: "Whether files behind symbolic links are refused: on, if_not_owner; behind from=PATH all are looked at.",
        example: "disable_symlinks if_not_owner from=$document_root;",
        apply: Apply::Inherited(|level, call, cx| {
            let rule = match call.text(0) {
                "off" => LinkRule::Follow,
                "on" => LinkRule::Refuse,
                "if_not_owner" => LinkRule::OfOwner,
                _ => return Err(call.unknown_word(0, "word of disable_symlinks", ["off", "on", "if_not_owner"])),
            };
            let from = match call.args().get(1) {
                None => None,
                Some(_) if rule == LinkRule::Follow => return Err(call.invalid(1, "nothing follows \"off\"")),
                Some(word) => match word.behind("from=") {
                    Some(path) if !path.text.is_empty() => Some(cx.template(&path)?),
                    _ => return Err(call.unknown_word(1, "parameter of disable_symlinks", ["from="])),
                },
            };
            level.settings.files.links = Links { rule, from };
            Ok(())
        }),
    },
    no_effect("aio", Contexts::REQUEST, Ignored::Text, "aio threads;", SMALL),
    no_effect("aio_write", Contexts::REQUEST, Ignored::Switch, "aio_write on;", SMALL),
    no_effect("directio", Contexts::REQUEST, Ignored::Text, "directio 4m;", SMALL),
    no_effect("directio_alignment", Contexts::REQUEST, Ignored::Size, "directio_alignment 512;", SMALL),
    no_effect("read_ahead", Contexts::REQUEST, Ignored::Size, "read_ahead 0;", SMALL),
    no_effect("output_buffers", Contexts::REQUEST, Ignored::Buffers, "output_buffers 2 32k;", SMALL)
        .taking(Takes::exactly(2)),
    no_effect("open_file_cache", Contexts::REQUEST, Ignored::Text, "open_file_cache max=1000 inactive=20s;", SMALL)
        .taking(Takes::between(1, 2)),
    no_effect("open_file_cache_valid", Contexts::REQUEST, Ignored::Time, "open_file_cache_valid 60s;", SMALL),
    no_effect("open_file_cache_min_uses", Contexts::REQUEST, Ignored::Number, "open_file_cache_min_uses 2;", SMALL),
    no_effect("fastcgi_temp_path", Contexts::REQUEST, Ignored::Text, "fastcgi_temp_path /var/tmp/fastcgi;", UNUSED)
        .taking(Takes::between(1, 4)),
    no_effect("uwsgi_temp_path", Contexts::REQUEST, Ignored::Text, "uwsgi_temp_path /var/tmp/uwsgi;", UNUSED)
        .taking(Takes::between(1, 4)),
    no_effect("scgi_temp_path", Contexts::REQUEST, Ignored::Text, "scgi_temp_path /var/tmp/scgi;", UNUSED)
        .taking(Takes::between(1, 4)),
    no_effect("open_file_cache_errors", Contexts::REQUEST, Ignored::Switch, "open_file_cache_errors on;", SMALL),
];

/// `root PATH`, `alias PATH`. What an alias takes the place of is known when the whole location is read.
fn root(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>, kind: RootKind) -> Outcome {
    let own = ["$document_root", "${document_root}", "$realpath_root", "${realpath_root}"];
    if own.iter().any(|name| call.text(0).contains(name)) {
        return Err(call.invalid(0, "it is what these variables are made from"));
    }
    let (mut path, prefix) = path_template(call.word(0), cx)?;
    if kind == RootKind::Root {
        without_slash(&mut path);
    }
    level.settings.files.root = Root { path, prefix, kind };
    Ok(())
}

/// Takes one slash off the end; whether there was one.
fn without_slash(path: &mut Template) -> bool {
    let Some(Part::Text(text)) = path.parts.last_mut() else { return false };
    let had = text.ends_with('/');
    if had {
        text.pop();
    }
    if text.is_empty() {
        path.parts.pop();
    }
    had
}

fn index(level: &mut Inherited, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let names = &mut level.settings.files.index;
    if call.first {
        names.clear();
    }
    for (at, word) in call.args().iter().enumerate() {
        if word.text.is_empty() {
            return Err(call.invalid(at, "a file has a name"));
        }
        if names.len() == NAMES_MAX {
            return Err(call.invalid(at, format!("there are {NAMES_MAX} of them already")));
        }
        names.push(cx.template(word)?);
    }
    Ok(())
}

/// `types { TYPE END...; }`: the last one holds for an end that has several, as in nginx.
fn types(level: &mut Inherited, call: &Call<'_>, _: &mut Cx<'_>) -> Outcome {
    if call.first {
        level.settings.files.types = BTreeMap::new().into();
    }
    let types = &mut *level.settings.files.types;
    for entry in call.node.block.iter().flatten() {
        let name = &entry.name;
        if entry.block.is_some() {
            return Err(Diagnostic::error("block-unexpected", &name.place, "a type takes no block"));
        }
        check_media_type(&name.text).map_err(|why| {
            let message = format!("invalid type \"{}\": {why}", name.shown());
            Diagnostic::error("invalid-value", &name.place, message)
        })?;
        for end in &entry.args {
            if types.len() == TYPES_MAX {
                let message = format!("there are {TYPES_MAX} of them already");
                return Err(Diagnostic::error("invalid-value", &end.place, message));
            }
            types.insert(end.text.to_ascii_lowercase(), name.text.clone());
        }
    }
    Ok(())
}

fn media_type(call: &Call<'_>, index: usize) -> Result<String, Diagnostic> {
    check_media_type(call.text(index)).map_err(|why| call.invalid(index, why))?;
    Ok(call.text(index).to_owned())
}

/// It becomes part of a head.
fn check_media_type(text: &str) -> Result<(), &'static str> {
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) { Err("it has a control character") } else { Ok(()) }
}

/// `try_files PATH... (URI|@NAME|=CODE)`.
fn try_files(actions: &mut Actions, call: &Call<'_>, cx: &mut Cx<'_>) -> Outcome {
    let last = call.args().len() - 1;
    if last > NAMES_MAX {
        return Err(call.invalid(last, format!("more than {NAMES_MAX} paths stand before it")));
    }
    let mut paths = Vec::with_capacity(last);
    for word in &call.args()[..last] {
        let mut path = cx.template(word)?;
        let is_folder = without_slash(&mut path);
        paths.push(TryPath { path, is_folder });
    }
    let last = match call.text(last).strip_prefix('=') {
        Some(digits) => {
            let status = digits.parse().ok().filter(|status| u64::from(*status) <= MAX_STATUS);
            TryLast::Status(status.ok_or_else(|| call.invalid(last, "behind \"=\" stands a status such as 404"))?)
        }
        None => TryLast::Target(cx.template(call.word(last))?),
    };
    actions.try_files = Some(TryFiles { paths, last });
    Ok(())
}
