//! Compares a root from `cargo xtask image` with one from mmdebstrap, package by package and file by file.
//! `image_tree/allowed.txt` lists the allowed differences with their reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use disk::tree::{Kind, Node, Tree};
use support::command::root;
use support::scratch::scratch;
use workspace::Workspace;
use xtask::bench::image::Pair;

/// A tar built by mmdebstrap earlier, to save time when editing the list.
const THEIRS: &str = "MMDEBSTRAP_TAR";

/// A line of the list.
struct Allowed {
    what: String,
    pattern: String,
}

fn allowed() -> Vec<Allowed> {
    let text = fs::read_to_string(root().join("tests/it/image_tree/allowed.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let (what, pattern) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
            Allowed { what, pattern }
        })
        .collect()
}

#[test]
#[ignore = "mmdebstrap with an emulator takes ten minutes of a quiet machine"]
fn the_tree_is_the_one_that_mmdebstrap_makes() {
    let workspace = Workspace::find();
    let pair = Pair::read(&workspace).unwrap();
    let base = pair.base(&workspace).unwrap();
    let dir = scratch("mmdebstrap");
    let theirs = match std::env::var_os(THEIRS) {
        Some(tar) => PathBuf::from(tar),
        None => {
            pair.theirs(&base.packages, base.epoch, &dir.join("theirs.tar")).unwrap();
            dir.join("theirs.tar")
        }
    };
    let (ours, theirs) = (Tree::from_tar(&base.tar).unwrap(), Tree::from_tar(&theirs).unwrap());
    assert_eq!(packages(&ours), packages(&theirs), "packages, versions and states");
    let different = differences(&ours, &theirs);
    let allowed = allowed();
    let fits = |a: &Allowed, what: &str, path: &str| {
        (a.what == "any" || a.what == what) && matches(&a.pattern, path)
    };
    let not_allowed: Vec<String> = different
        .iter()
        .filter(|(what, path)| !allowed.iter().any(|a| fits(a, what, path)))
        .map(|(what, path)| format!("{what} {path}"))
        .collect();
    let (count, first) = (not_allowed.len(), &not_allowed[..not_allowed.len().min(60)]);
    assert!(count == 0, "{count} differences that nobody allowed:\n{}", first.join("\n"));
    for a in &allowed {
        let used = different.iter().any(|(what, path)| fits(a, what, path));
        assert!(used, "`{} {}` allows what does not happen any more: take it out", a.what, a.pattern);
    }
}

/// Returns every package with version and state.
fn packages(tree: &Tree) -> BTreeSet<String> {
    let status = text(tree, "/var/lib/dpkg/status");
    let paragraphs = status.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    let packages: BTreeSet<String> = paragraphs
        .map(|paragraph| {
            let field =
                |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            [field("Package: "), field("Version: "), field("Architecture: "), field("Status: ")].join(" ")
        })
        .collect();
    assert!(
        packages.len() > 150 && packages.iter().all(|p| p.ends_with("install ok installed")),
        "{packages:?}"
    );
    packages
}

/// Returns the differences. Times are not compared, because ours are limited to the archive's time.
fn differences(ours: &Tree, theirs: &Tree) -> Vec<(&'static str, String)> {
    let (own, other) = (Names::of(ours), Names::of(theirs));
    let paths: BTreeSet<&str> = ours.iter().chain(theirs.iter()).map(|(path, ..)| path).collect();
    let names = |names: &BTreeMap<u32, String>| names.values().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&own.users), names(&other.users), "accounts");
    assert_eq!(names(&own.groups), names(&other.groups), "groups");
    let mut different = Vec::new();
    for path in paths {
        let mut differs = |what| different.push((what, path.to_owned()));
        match (ours.get(path), theirs.get(path)) {
            (Some(_), None) => differs("only-ours"),
            (None, Some(_)) => differs("only-theirs"),
            (Some(a), Some(b)) => {
                if kind(a) != kind(b) {
                    differs("kind");
                } else if !same(a, b) {
                    differs("content");
                }
                if a.mode != b.mode {
                    differs("mode");
                }
                if own.owner(a) != other.owner(b) {
                    differs("owner");
                }
                if a.xattrs != b.xattrs {
                    differs("attributes");
                }
            }
            (None, None) => {}
        }
    }
    different
}

fn kind(node: &Node) -> std::mem::Discriminant<Kind> {
    std::mem::discriminant(&node.kind)
}

fn same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::File(a), Kind::File(b)) => a.size() == b.size() && a.read().unwrap() == b.read().unwrap(),
        (Kind::Symlink(a), Kind::Symlink(b)) => a == b,
        _ => true,
    }
}

/// User IDs depend on the order of configuration, so owners are compared by name.
struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    fn of(tree: &Tree) -> Names {
        let read = |path: &str| {
            let text = text(tree, path);
            let entry = |line: &str| {
                let mut fields = line.split(':');
                let name = fields.next()?.to_owned();
                Some((fields.nth(1)?.parse().ok()?, name))
            };
            text.lines().filter_map(entry).collect()
        };
        Names { users: read("/etc/passwd"), groups: read("/etc/group") }
    }

    fn owner(&self, node: &Node) -> (String, String) {
        let name = |names: &BTreeMap<u32, String>, id: u32| {
            names.get(&id).cloned().unwrap_or_else(|| id.to_string())
        };
        (name(&self.users, node.uid), name(&self.groups, node.gid))
    }
}

fn text(tree: &Tree, path: &str) -> String {
    match &tree.get(path).unwrap_or_else(|| panic!("{path} is missing")).kind {
        Kind::File(content) => String::from_utf8(content.read().unwrap()).unwrap(),
        other => panic!("{path}: {other:?}"),
    }
}

/// `*` matches any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
}
