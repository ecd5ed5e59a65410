//! Conversion of charsets: from which to which, and by what.

use super::{Apply, Block, Contexts, Directive, Takes};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "charset_map",
        contexts: Contexts::HTTP,
        takes: Takes::block(2, 2),
        repeats: true,
        default: "",
        doc: "What bytes of one charset are in another, both in hexadecimal digits; utf-8 may be the second one.",
        example: "charset_map koi8-r utf-8 { C0 D18E; C1 D0B0; }",
        apply: Apply::Block(Block::CharsetMap),
    },
    Directive {
        name: "source_charset",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The charset that answers come in, from which they are converted into that of charset.",
        example: "source_charset koi8-r;",
        apply: Apply::Inherited(|level, call, cx| {
            let charset = cx.template(call.word(0))?;
            level.settings.source_charset = Some(charset).filter(|_| call.text(0) != "off");
            Ok(())
        }),
    },
    Directive {
        name: "override_charset",
        contexts: Contexts::REQUEST_IF,
        takes: Takes::exactly(1),
        repeats: false,
        default: "off",
        doc: "Whether answers are converted that name a charset themselves.",
        example: "override_charset on;",
        apply: Apply::Inherited(|level, call, _| {
            level.settings.override_charset = call.switch(0)?;
            Ok(())
        }),
    },
];
