//! The part of a tree that packages are installed into: all paths, and what files hold where scripts read it. Every other
//! file is as long as it is, and empty; whoever reads one is found out by its time of access.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, Write};

use anyhow::{Context, Result};
use disk::tree::{Content, Id, Kind, Node, Tree};
use tar::{Builder, EntryType, Header};

use super::scripts;
use crate::root::enter::IMAGE;

/// Folders whose files are there: what dpkg and the scripts of packages work with.
const READ: [&str; 6] = [
    "/etc/",
    DATABASE,
    "/var/lib/systemd/",
    "/usr/lib/systemd/",
    "/usr/lib/sysusers.d/",
    "/usr/lib/tmpfiles.d/",
];
const DATABASE: &str = "/var/lib/dpkg/";
/// Larger ones are programs.
const LARGEST: u64 = 256 << 10;
/// Where programs of the system itself run, all is there that is no larger: such as memory that is kept on the card.
const LARGEST_OF_ALL: u64 = 256 << 20;
/// How many users and groups a namespace has.
const IDENTITIES: u32 = 65_536;
const NOBODY: u32 = 65_534;
/// For which processors dpkg installs beside its own.
pub(super) const ARCHITECTURES: &str = "/var/lib/dpkg/arch";

/// Who works with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For<'a> {
    /// This machine's dpkg, to which the system is one for that processor. It installs these packages; scripts of others are
    /// not there for it.
    Dpkg(&'a str, &'a [String]),
    /// The programs that are in the system.
    Itself,
}

/// Adds the part to a tar; gives the paths of files that are not really there. `needed` are there as well.
pub(super) fn write(
    tree: &Tree,
    needed: &BTreeSet<String>,
    whom: For<'_>,
    builder: &mut Builder<impl Write>,
) -> Result<BTreeSet<String>> {
    let mut hollow = BTreeSet::new();
    let mut earlier: HashMap<Id, &str> = HashMap::new();
    // Under whichever of its names a file is needed.
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
                    let bytes = content.read().with_context(|| format!("`{path}`: cannot be read"))?;
                    append(builder, EntryType::Regular, path, node, &bytes)?;
                } else {
                    append_hole(builder, path, node, content.size())?;
                    hollow.insert(path.to_owned());
                }
                earlier.insert(id, path);
            }
            // Nobody may make devices in a namespace. Of these, scripts find nothing.
            Kind::Char(_) | Kind::Block(_) | Kind::Fifo | Kind::Socket => {}
        }
    }
    if let For::Dpkg(architecture, _) = whom {
        // Without this, dpkg takes packages of another processor for foreign ones.
        let list = Node::new(Kind::File(Content::bytes([])), 0o644, 0);
        append(builder, EntryType::Regular, ARCHITECTURES, &list, format!("{architecture}\n").as_bytes())?;
    }
    Ok(hollow)
}

impl For<'_> {
    /// Whether a file is kept from it: what dpkg is told instead, and scripts that came with the system.
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

/// A file that is one hole: the map of what is there has nothing but its end.
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
    // Beyond 8 GiB the length is another one; nothing is read of it.
    field[..11].copy_from_slice(&text.as_bytes()[text.len() - 11..]);
    field
}

/// Who somebody is in a namespace, where there are no more than `nobody` and those before.
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
