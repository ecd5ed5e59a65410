//! Where the files of a location are: the path of the file system that a request's path leads to, and what
//! `try_files` looks for. Looking is the caller's business.

use conf::tree::{self, LinkRule, LocationSettings, RootKind};

use crate::fact::{Fact, Facts};
use crate::map::{Maps, Scratch};
use crate::names::Names;
use crate::text::Text;

/// The files of a location.
#[derive(Debug)]
pub struct Files {
    root: Text,
    /// What a relative path is below that variables make.
    prefix: Vec<u8>,
    kind: RootKind,
    /// Files that stand for their folder.
    pub index: Vec<Text>,
    /// `disable_symlinks`, where it refuses any.
    pub links: Option<Links>,
}

/// `disable_symlinks`.
#[derive(Debug)]
pub struct Links {
    /// Links are followed to what has their owner.
    pub are_of_owner: bool,
    /// The beginning of paths in which links are followed all the same.
    pub from: Option<Text>,
}

/// Where a request is among the files of its location.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The files.
    pub files: &'a Files,
    /// The path that the request has now.
    pub path: &'a [u8],
    /// The path does not begin with that of the location: rules have changed it for good.
    pub has_left: bool,
    /// The path follows an alias that takes the place of the whole path: `try_files` has found it there.
    pub is_below_alias: bool,
}

/// `try_files`.
#[derive(Debug)]
pub struct TryFiles {
    /// What is looked for, in this order.
    pub paths: Vec<TryPath>,
    /// Where the request goes if nothing of it is there.
    pub last: TryLast,
}

/// A path that `try_files` looks for.
#[derive(Debug)]
pub struct TryPath {
    /// The path, without a slash at its end.
    pub path: Text,
    /// Whether it must be a folder, else a file.
    pub is_folder: bool,
}

/// The last word of `try_files`.
#[derive(Debug)]
pub enum TryLast {
    /// An answer of this status is due.
    Status(u16),
    /// A path with its arguments, or a named location (`@...`).
    Target(Text),
}

impl Files {
    pub(crate) fn compile(settings: &LocationSettings, names: &Names) -> Self {
        let tree::FileSettings { root, index, links, .. } = &*settings.files;
        Self {
            root: Text::compile(&root.path, names),
            prefix: root.prefix.clone().into_bytes(),
            kind: root.kind,
            index: index.iter().map(|name| Text::compile(name, names)).collect(),
            links: (links.rule != LinkRule::Follow).then(|| Links {
                are_of_owner: links.rule == LinkRule::OfOwner,
                from: links.from.as_ref().map(|from| Text::compile(from, names)),
            }),
        }
    }

    /// Appends the folder, or what an alias says.
    pub fn append_root(&self, facts: &dyn Facts, maps: &Maps, scratch: &mut Scratch, out: &mut Vec<u8>) {
        let start = out.len();
        self.root.render(facts, maps, scratch, out);
        if !self.prefix.is_empty() && out.get(start) != Some(&b'/') {
            out.splice(start..start, self.prefix.iter().copied());
        }
    }

    /// Whether all of the request's path follows the folder, so that what follows it is a path of a request.
    pub fn is_root(&self) -> bool {
        self.kind == RootKind::Root
    }

    /// Whether it takes the place of the request's path, however much there is of it.
    pub fn is_whole(&self) -> bool {
        self.kind == RootKind::Whole
    }

    /// The beginning of a request's path that the folder takes the place of.
    pub fn replaced<'p>(&self, path: &'p [u8]) -> &'p [u8] {
        match self.kind {
            RootKind::Root => b"",
            RootKind::Alias(length) => &path[..length.min(path.len())],
            RootKind::Whole => path,
        }
    }
}

impl Standing<'_> {
    /// Appends the path of the file system that the request's path leads to; false where rules have taken the path
    /// away that an alias replaces.
    pub fn append(&self, facts: &dyn Facts, maps: &Maps, scratch: &mut Scratch, out: &mut Vec<u8>) -> bool {
        let Self { files, has_left, .. } = *self;
        if has_left && matches!(files.kind, RootKind::Alias(_)) {
            return false;
        }
        files.append_root(facts, maps, scratch, out);
        out.extend_from_slice(self.below());
        true
    }

    /// What of the request's path follows the folder.
    pub fn below(&self) -> &[u8] {
        if self.is_below_alias { self.path } else { &self.path[self.files.replaced(self.path).len()..] }
    }
}

impl TryFiles {
    pub(crate) fn compile(tries: &tree::TryFiles, names: &Names) -> Self {
        let path = |path: &tree::TryPath| TryPath { path: Text::compile(&path.path, names), is_folder: path.is_folder };
        Self {
            paths: tries.paths.iter().map(path).collect(),
            last: match &tries.last {
                tree::TryLast::Status(status) => TryLast::Status(*status),
                tree::TryLast::Target(target) => TryLast::Target(Text::compile(target, names)),
            },
        }
    }
}

/// Whether a fact is made of the location's files.
pub(crate) fn is_path(fact: &Fact) -> bool {
    matches!(fact, Fact::DocumentRoot | Fact::RealpathRoot | Fact::RequestFilename)
}

/// Appends `$document_root`, `$realpath_root` or `$request_filename`; false where there is none.
pub(crate) fn append_path(
    fact: &Fact,
    facts: &dyn Facts,
    maps: &Maps,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> bool {
    let Some(standing) = facts.standing() else { return false };
    match fact {
        Fact::RequestFilename => return standing.append(facts, maps, scratch, out),
        Fact::DocumentRoot => standing.files.append_root(facts, maps, scratch, out),
        _ => {
            let mut root = Vec::new();
            standing.files.append_root(facts, maps, scratch, &mut root);
            return facts.append_real_path(&root, out);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Table, template};

    fn mapped(root: &str, prefix: &str, kind: RootKind, path: &str) -> String {
        let names = Names::default();
        let files = Files {
            root: Text::compile(&template(root), &names),
            prefix: prefix.as_bytes().to_vec(),
            kind,
            index: Vec::new(),
            links: None,
        };
        let facts = Table(&[("arg_a", "sub"), ("host", "/abs")]);
        let (maps, mut scratch, mut out) = (Maps::default(), Scratch::default(), Vec::new());
        let standing = Standing { files: &files, path: path.as_bytes(), has_left: false, is_below_alias: false };
        assert!(standing.append(&facts, &maps, &mut scratch, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn paths_lead_into_the_folder() {
        let table = [
            ("/var/www", "", RootKind::Root, "/a/b", "/var/www/a/b"),
            ("", "", RootKind::Root, "/a", "/a"),
            ("/img/", "", RootKind::Alias(3), "/i/a.png", "/img/a.png"),
            ("/img", "", RootKind::Alias(2), "/i", "/img"),
            ("/one", "", RootKind::Whole, "/whatever/x", "/one"),
            ("$arg_a/x", "/etc/", RootKind::Root, "/a", "/etc/sub/x/a"),
            ("$host/x", "/etc/", RootKind::Root, "/a", "/abs/x/a"),
        ];
        for (root, prefix, kind, path, expected) in table {
            assert_eq!(mapped(root, prefix, kind, path), expected, "{root} {path}");
        }
    }
}
