//! Installs packages into an image that someone else made: takes an image and .debs, and writes another
//! image. It mounts nothing and only reads the given image.
//!
//! The root file system becomes a tree, the packages are installed into it, and it is written back with the
//! same identity into the same partition. Everything outside that partition is copied unchanged.

mod base;
mod changes;
mod install;
mod needs;
mod partial;
mod scripts;
mod supply;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{io, thread};

use anyhow::{Context, Result, bail, ensure};
use disk::ext4::{self, Ext4};
use disk::layout::{self, Draft, HOLE, put};
use disk::pack::Sum;
use disk::tree::Tree;

pub use self::base::Base;
pub use self::install::install;
use self::needs::Needs;
pub use self::supply::Stock;

/// Free space to leave in a root partition that has to grow.
const FREE: u64 = 64 << 20;
/// Partitions end at multiples of this size.
const ALIGNMENT: u64 = 1 << 20;

/// A finished image.
#[derive(Debug, Clone)]
pub struct Baked {
    /// Path of the image file.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// Number of bytes by which the root partition grew.
    pub grown: u64,
    /// The installed system.
    pub tree: Tree,
    /// The part of the checksum that is already known, because that part of the image is unchanged.
    pub sum: Sum,
}

/// Writes `out`: the image with the packages installed, `size` bytes long if a size is given. Packages that
/// they depend on and the image lacks come from the stock.
pub fn bake(
    image: &Path,
    debs: &[PathBuf],
    stock: &Stock<'_>,
    size: Option<u64>,
    out: &Path,
) -> Result<Baked> {
    ensure!(
        !is_same(image, out),
        "`{}`: the output would overwrite it: name another file or folder",
        image.display()
    );
    let base = Base::open(image)?;
    let path = image.display();
    let (head, to) = (base.file.clone(), base.root.at);
    // The checksum runs while the rest mostly waits for dpkg.
    let sum = thread::spawn(move || Sum::default().up_to(&head, to));
    let partition = base.root;
    let fs = Ext4::open(base.file.clone(), partition.at, partition.size)
        .with_context(|| format!("`{path}`: the root file system (partition {})", partition.number))?;
    let mut tree = fs.tree().with_context(|| format!("`{path}`: the root file system"))?;
    let architecture = needs::architecture(&tree).with_context(|| format!("`{path}`"))?;
    let needs = Needs::read(&tree, debs, &architecture).with_context(|| format!("`{path}`"))?;
    let epoch = newest(&tree);
    if !needs.missing.is_empty() {
        supply::add(&mut tree, needs, &architecture, stock, epoch).with_context(|| format!("`{path}`"))?;
    }
    let remove = supply::suite(&tree, stock).map(|suite| suite.system.remove.clone()).unwrap_or_default();
    install(&mut tree, debs, &architecture, &remove, epoch)?;
    let mut identity = fs.identity()?;
    identity.epoch = identity.epoch.max(epoch);
    let room = base.room(size)?;
    let before = fs.size();
    let planned = |root| ext4::plan(&tree, &identity, root).map(|plan| (plan, root));
    let planned = match room {
        Some(room) => planned(room),
        None => planned(before).or_else(|_| planned(ext4::smallest(&tree, &identity, FREE)?.max(before))),
    };
    let (plan, root) = planned.with_context(|| match size {
        Some(size) => format!("{size} bytes are too small for this image: give a larger size, or none"),
        None => format!("`{path}`: cannot write the root file system"),
    })?;
    let end = partition.end().max((partition.at + root).next_multiple_of(ALIGNMENT));
    let size = base.write(end, out, |file| plan.write(file, partition.at))?;
    let grown = end - partition.end();
    let sum =
        sum.join().expect("a checksum does not panic").with_context(|| format!("cannot read `{path}`"))?;
    // The partition table changes when the root partition grows.
    let sum = if grown > 0 { Sum::default() } else { sum };
    Ok(Baked { path: out.to_owned(), size, grown, tree, sum })
}

/// The newest modification time in the tree. Changed files get this time, because the clock would make every
/// image different.
fn newest(tree: &Tree) -> i64 {
    tree.iter().map(|(_, _, node)| node.modified.seconds).max().unwrap_or_default()
}

fn is_same(one: &Path, other: &Path) -> bool {
    let number = |path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    number(one).is_ok_and(|one| number(other).is_ok_and(|other| one == other))
}

impl Base {
    /// Returns the size of the root file system in an image of the given size.
    fn room(&self, size: Option<u64>) -> Result<Option<u64>> {
        let Some(size) = size else { return Ok(None) };
        ensure!(
            size >= self.size,
            "{size} bytes are less than the size of the image ({}): an image can grow but not shrink",
            self.size
        );
        let end = (size - self.table.tail()) / ALIGNMENT * ALIGNMENT;
        let end = if self.is_last() { end.max(self.root.end()) } else { self.root.end() };
        Ok(Some((end - self.root.at) / ext4::BLOCK * ext4::BLOCK))
    }

    fn is_last(&self) -> bool {
        self.table.partitions.iter().all(|partition| partition.end() <= self.root.end())
    }

    /// Copies everything except the root partition. `root` writes that one, and it ends at `end`.
    fn write(&self, end: u64, out: &Path, root: impl FnOnce(&File) -> Result<()>) -> Result<u64> {
        let grows = end > self.root.end();
        if grows && !self.is_last() {
            bail!(
                "the root partition ({}) has to grow but another partition follows it: use an image with more free space",
                self.root.number
            );
        }
        let tail = if grows { self.table.tail() } else { 0 };
        let size = self.size.max(end + tail);
        let draft = Draft::new(out, size)?;
        let full = || format!("cannot write `{}`", out.display());
        for (from, to) in [(0, self.root.at), (self.root.end(), self.size)] {
            copy(&self.file, &draft.file, from, to).with_context(full)?;
        }
        root(&draft.file).with_context(full)?;
        if grows {
            let mut table = self.table.clone();
            table.grow(&draft.file, self.root.number, end, size).with_context(full)?;
        }
        draft.keep()?;
        Ok(size)
    }
}

fn copy(from: &File, to: &File, start: u64, end: u64) -> io::Result<()> {
    layout::read(from, start, end, |chunk, at| {
        (at..).step_by(HOLE).zip(chunk.chunks(HOLE)).try_for_each(|(at, part)| put(to, part, at))
    })
}
