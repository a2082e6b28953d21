//! Applies the changes of an installation to the tree: compares file lists from before and after it.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use common::glob::matches;
use disk::tree::{self, Past, Time, Tree};

use super::partial::{ARCHITECTURES, inside};

/// Inode number, access time and change time of a path.
type State<'a> = (&'a str, &'a str, &'a str);

/// Two file lists, by path.
pub(super) struct Changes<'a> {
    before: HashMap<&'a str, State<'a>>,
    after: HashMap<&'a str, State<'a>>,
}

impl<'a> Changes<'a> {
    /// Reads the lists, in which every entry ends with a zero byte.
    pub(super) fn read(before: &'a [u8], after: &'a [u8]) -> Result<Changes<'a>> {
        Ok(Changes { before: list(before)?, after: list(after)? })
    }

    /// Returns the hollow files that a program has read or written.
    pub(super) fn missed(&self, hollow: &BTreeSet<String>) -> BTreeSet<String> {
        let missed = |path: &&String| {
            let (before, after) = (self.before.get(path.as_str()), self.after.get(path.as_str()));
            before.zip(after).is_some_and(|(before, after)| before.0 == after.0 && before != after)
        };
        hollow.iter().filter(missed).cloned().collect()
    }

    /// Applies the changes to the tree, except for files that match one of these patterns. Times after
    /// `start` become `epoch`, so that the clock does not affect the result.
    pub(super) fn apply(
        &self,
        tree: &mut Tree,
        touched: &Tree,
        but: &[String],
        start: Time,
        epoch: i64,
    ) -> Result<()> {
        let mut gone: Vec<&&str> =
            self.before.keys().filter(|path| !self.after.contains_key(**path)).collect();
        gone.sort();
        for path in gone {
            tree.remove(path);
        }
        let installed = Time { seconds: epoch, nanoseconds: 0 };
        let at = |time: Time| if time >= start { installed } else { time };
        let mut ids = HashMap::new();
        for (path, id, node) in touched.iter() {
            let (before, after) = (self.before.get(path), self.after.get(path));
            let same = before.zip(after).is_some_and(|(before, after)| before.0 == after.0);
            let left_out = but.iter().any(|pattern| matches_in_folder(pattern, path));
            if path == ARCHITECTURES || left_out || (same && before.map(|b| b.2) == after.map(|a| a.2)) {
                continue;
            }
            if let Some(earlier) = ids.get(&id) {
                tree.link(path, *earlier)?;
                continue;
            }
            let mut node = node.clone();
            let old = tree.get(path).filter(|_| same);
            if let Some(old) = old {
                node.xattrs = old.xattrs.clone();
                // An owner outside the namespace's range appears as nobody; it keeps its number unless a
                // script changed it.
                node.uid = if node.uid == inside(old.uid) { old.uid } else { node.uid };
                node.gid = if node.gid == inside(old.gid) { old.gid } else { node.gid };
            }
            node.modified = at(node.modified);
            let born = old.and_then(|old| old.past).map_or(installed, |past| past.born);
            node.past = Some(Past { accessed: node.modified, changed: installed, born });
            ids.insert(id, tree.insert(path, node).with_context(|| format!("`{path}`"))?);
        }
        Ok(())
    }
}

/// Returns whether a path matches a pattern that has `*` in its last component only.
fn matches_in_folder(pattern: &str, path: &str) -> bool {
    tree::parent(pattern) == tree::parent(path) && matches(tree::name(pattern), tree::name(path))
}

fn list(bytes: &[u8]) -> Result<HashMap<&str, State<'_>>> {
    let mut list = HashMap::new();
    for line in bytes.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let line = std::str::from_utf8(line).with_context(|| {
            format!("{}: a package has a file name that is not UTF-8", line.escape_ascii())
        })?;
        let mut fields = line.splitn(5, ' ');
        let mut field = || fields.next().context("a file list entry lacks a field");
        let (_, number, accessed, changed, path) = (field()?, field()?, field()?, field()?, field()?);
        let path = path.strip_prefix('.').unwrap_or(path);
        list.insert(if path.is_empty() { "/" } else { path }, (number, accessed, changed));
    }
    Ok(list)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Changes;
    use disk::tree::{Content, Kind, Node, Time, Tree};

    #[test]
    fn a_package_made_within_this_second_is_older_than_its_installation() {
        let (half, epoch) = (500_000_000, 7);
        let folder = || Tree::new(Node::new(Kind::Dir, 0o755, 1));
        let mut touched = folder();
        for (path, nanoseconds) in [("/unpacked", 0), ("/at-once", half), ("/written", half + 1)] {
            let mut node = Node::new(Kind::File(Content::bytes([])), 0o644, 100);
            node.modified.nanoseconds = nanoseconds;
            touched.insert(path, node).unwrap();
        }
        let mut tree = folder();
        let changes =
            Changes::read(b"", b"f 1 1 1 ./unpacked\0f 2 1 1 ./at-once\0f 3 1 1 ./written\0").unwrap();
        changes.apply(&mut tree, &touched, &[], Time { seconds: 100, nanoseconds: half }, epoch).unwrap();
        let seconds = |path: &str| tree.get(path).unwrap().modified.seconds;
        assert_eq!(["/unpacked", "/at-once", "/written"].map(seconds), [100, epoch, epoch]);
    }
}
