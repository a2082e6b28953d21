//! Writes the part of a tree that packages are installed into: every path, but contents only where scripts
//! read them. All other files are hollow: sparse files of the right size. Their access times show whether a
//! program read them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, Write};

use anyhow::{Context, Result};
use disk::tree::{Content, Id, Kind, Node, Tree};
use tar::{Builder, EntryType, Header};

use super::scripts;
use crate::root::enter::IMAGE;

/// Folders whose files keep their contents: dpkg and package scripts read them.
const READ: [&str; 6] = [
    "/etc/",
    DATABASE,
    "/var/lib/systemd/",
    "/usr/lib/systemd/",
    "/usr/lib/sysusers.d/",
    "/usr/lib/tmpfiles.d/",
];
const DATABASE: &str = "/var/lib/dpkg/";
/// Larger files are programs.
const LARGEST: u64 = 256 << 10;
/// The limit when the system's own programs run; larger files are data such as swap files.
const LARGEST_OF_ALL: u64 = 256 << 20;
/// Number of user and group IDs in a namespace.
const IDENTITIES: u32 = 65_536;
const NOBODY: u32 = 65_534;
/// Lists the foreign processors that dpkg accepts.
pub(super) const ARCHITECTURES: &str = "/var/lib/dpkg/arch";

/// The reader of a partial tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For<'a> {
    /// The host's dpkg, which treats the system as one for this processor and installs these packages.
    /// Scripts of other packages are hidden from it.
    Dpkg(&'a str, &'a [String]),
    /// The system's own programs.
    Itself,
}

/// Adds the partial tree to a tar and returns the paths of the hollow files. Files in `needed` keep their
/// contents.
pub(super) fn write(
    tree: &Tree,
    needed: &BTreeSet<String>,
    whom: For<'_>,
    builder: &mut Builder<impl Write>,
) -> Result<BTreeSet<String>> {
    let mut hollow = BTreeSet::new();
    let mut earlier: HashMap<Id, &str> = HashMap::new();
    // A needed file may be listed under any of its hard links.
    let needed: HashSet<Id> = needed.iter().filter_map(|path| tree.id(path)).collect();
    for (path, id, node) in tree.iter() {
        if whom.never_sees(path) {
            continue;
        }
        if let Some(first) = earlier.get(&id) {
            link(builder, EntryType::Link, path, node, &format!(".{IMAGE}{first}"))?;
            if hollow.contains(*first) {
                hollow.insert(path.to_owned());
            }
            continue;
        }
        match &node.kind {
            Kind::Dir => append(builder, EntryType::Directory, path, node, &[])?,
            Kind::Symlink(target) => link(builder, EntryType::Symlink, path, node, target)?,
            Kind::File(content) => {
                if content.size() == 0 || whom.reads(path, content) || needed.contains(&id) {
                    let bytes = content.read().with_context(|| format!("cannot read `{path}`"))?;
                    append(builder, EntryType::Regular, path, node, &bytes)?;
                } else {
                    append_hole(builder, path, node, content.size())?;
                    hollow.insert(path.to_owned());
                }
                earlier.insert(id, path);
            }
            // An unprivileged namespace cannot create devices, so scripts do not see any.
            Kind::Char(_) | Kind::Block(_) | Kind::Fifo | Kind::Socket => {}
        }
    }
    if let For::Dpkg(architecture, _) = whom {
        // Without this file, dpkg treats packages for another processor as foreign.
        let list = Node::new(Kind::File(Content::bytes([])), 0o644, 0);
        append(builder, EntryType::Regular, ARCHITECTURES, &list, format!("{architecture}\n").as_bytes())?;
    }
    Ok(hollow)
}

impl For<'_> {
    /// Returns whether a path is hidden: the list of processors, which is replaced, and scripts that came
    /// with the system.
    fn never_sees(self, path: &str) -> bool {
        let For::Dpkg(_, packages) = self else { return false };
        path == ARCHITECTURES
            || scripts::owner(path).is_some_and(|owner| !packages.iter().any(|p| p == owner))
    }

    fn reads(self, path: &str, content: &Content) -> bool {
        if self == For::Itself {
            return content.size() <= LARGEST_OF_ALL;
        }
        let folder = READ.iter().find(|folder| path.starts_with(**folder));
        folder.is_some_and(|folder| content.size() <= LARGEST || *folder == DATABASE)
    }
}

fn append(
    out: &mut Builder<impl Write>,
    kind: EntryType,
    path: &str,
    node: &Node,
    bytes: &[u8],
) -> io::Result<()> {
    let mut header = header(node, kind);
    header.set_size(bytes.len() as u64);
    out.append_data(&mut header, format!(".{IMAGE}{path}"), bytes)
}

fn link(out: &mut Builder<impl Write>, kind: EntryType, path: &str, node: &Node, to: &str) -> io::Result<()> {
    out.append_link(&mut header(node, kind), format!(".{IMAGE}{path}"), to)
}

/// Appends a sparse file that is one hole.
fn append_hole(out: &mut Builder<impl Write>, path: &str, node: &Node, size: u64) -> io::Result<()> {
    let mut header = header(node, EntryType::GNUSparse);
    let gnu = header.as_gnu_mut().ok_or(io::ErrorKind::Unsupported)?;
    let number = octal(size);
    gnu.realsize = number;
    gnu.sparse[0].offset = number;
    gnu.sparse[0].numbytes = octal(0);
    out.append_data(&mut header, format!(".{IMAGE}{path}"), io::empty())
}

fn octal(number: u64) -> [u8; 12] {
    let mut field = [0; 12];
    let text = format!("{number:011o}");
    // The size is truncated beyond 8 GiB, which does no harm: the file is not read.
    field[..11].copy_from_slice(&text.as_bytes()[text.len() - 11..]);
    field
}

/// Returns an ID as it appears in the namespace, where larger ones become nobody's.
pub(super) fn inside(identity: u32) -> u32 {
    if identity < IDENTITIES { identity } else { NOBODY }
}

fn header(node: &Node, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(node.mode.into());
    header.set_uid(inside(node.uid).into());
    header.set_gid(inside(node.gid).into());
    header.set_mtime(u64::try_from(node.modified.seconds).unwrap_or_default());
    header.set_size(0);
    header
}
