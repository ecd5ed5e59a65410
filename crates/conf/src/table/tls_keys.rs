//! What keys of TLS need beside themselves: passwords, and the keys of tickets.

use super::{Apply, Contexts, Directive, Takes};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "ssl_password_file",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: false,
        default: "",
        doc: "The file of passwords for keys that are encrypted, one a line, which are tried in turn.",
        example: "ssl_password_file /etc/nginx/ssl/passwords;",
        apply: Apply::Inherited(|level, call, cx| {
            level.server.tls.passwords = Some(cx.needed(call));
            Ok(())
        }),
    },
    Directive {
        name: "ssl_session_ticket_key",
        contexts: Contexts::SERVERS,
        takes: Takes::exactly(1),
        repeats: true,
        default: "",
        doc: "A file of 48 or 80 random bytes for the tickets of sessions; the first of several is for new ones.",
        example: "ssl_session_ticket_key /etc/nginx/ssl/tickets.key;",
        apply: Apply::Inherited(|level, call, cx| {
            let path = cx.needed(call);
            let keys = &mut level.server.tls.settings.ticket_keys;
            if call.first {
                keys.clear();
            }
            keys.push(path);
            Ok(())
        }),
    },
];
