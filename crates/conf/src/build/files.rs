//! What files need beyond a directive's own words: nginx's defaults, folders below the prefix, what an alias replaces.

use std::collections::BTreeMap;
use std::path::Path;

use super::cx::Cx;
use super::draft::Inherited;
use super::location::Head;
use crate::Diagnostic;
use crate::lexer::Word;
use crate::loader::Options;
use crate::parser::Node;
use crate::template::{Part, Template};
use crate::tree::{FileSettings, IfModifiedSince, LinkRule, Links, ListFormat, Listing, LocationKind, Root, RootKind};

/// What holds where nothing is written.
pub(super) fn defaults(options: &Options) -> FileSettings {
    let types = [("html", "text/html"), ("gif", "image/gif"), ("jpg", "image/jpeg")];
    let types: BTreeMap<String, String> = types.map(|(end, name)| (end.to_owned(), name.to_owned())).into();
    let text = |text: String| Template { parts: vec![Part::Text(text)] };
    FileSettings {
        root: Root {
            path: text(options.prefix.join("html").to_string_lossy().into_owned()),
            prefix: String::new(),
            kind: RootKind::Root,
        },
        index: vec![text("index.html".to_owned())],
        types: types.into(),
        default_type: "text/plain".to_owned(),
        etag: true,
        if_modified_since: IfModifiedSince::Exact,
        max_ranges: u64::MAX,
        log_not_found: true,
        listing: Listing { is_on: false, format: ListFormat::Html, exact_size: true, local_time: false },
        links: Links { rule: LinkRule::Follow, from: None },
    }
}

/// A path of the file system with variables: below the prefix where it is relative. Beside it stands what is to be put
/// before it where a variable comes first, which may be either.
pub(crate) fn path_template(word: &Word, cx: &mut Cx<'_>) -> Result<(Template, String), Diagnostic> {
    let mut template = cx.template(word)?;
    let below = |text: &str| cx.options.prefix.join(text).to_string_lossy().into_owned();
    match template.parts.first_mut() {
        None => template.parts.push(Part::Text(below(""))),
        Some(Part::Text(text)) => *text = below(text),
        Some(Part::Variable(_) | Part::Capture(_)) => return Ok((template, below(""))),
    }
    Ok((template, String::new()))
}

/// The same below another folder, for one that does not begin with a variable.
pub(crate) fn path_template_below(folder: &Path, word: &Word, cx: &mut Cx<'_>) -> Result<Template, Diagnostic> {
    let mut template = cx.template(word)?;
    if let Some(Part::Text(text)) = template.parts.first_mut() {
        *text = folder.join(&*text).to_string_lossy().into_owned();
    }
    Ok(template)
}

/// What an alias takes the place of is known by the location that it stands in.
pub(super) fn finish_alias(level: &mut Inherited, node: &Node, head: Option<&Head<'_>>, cx: &mut Cx<'_>) {
    let find = |name: &str| node.block.iter().flatten().find(|inner| inner.name.text == name);
    let (Some(alias), Some(head)) = (find("alias"), head) else { return };
    level.settings.files.root.kind = match head.kind {
        LocationKind::Pattern(_) => RootKind::Whole,
        LocationKind::Named => {
            let message = "\"alias\" cannot be in a named location: there is no path that it could replace";
            return cx
                .report(Diagnostic::error("misplaced-directive", &alias.name.place, message).help("write \"root\""));
        }
        _ => RootKind::Alias(head.path.len()),
    };
    if let Some(root) = find("root") {
        let message = "\"root\" and \"alias\" are both there: only one can hold";
        cx.report(Diagnostic::error("duplicate-directive", &root.name.place, message));
    }
}
