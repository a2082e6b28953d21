//! Packages into an image that somebody else made: takes the image and .debs, writes another image. Nothing is mounted,
//! and the image that was given is only read.
//!
//! The root file system becomes a tree, the packages are installed into it, and it is written again with the same
//! identity into the same partition. Everything outside of that partition is copied as it is.

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

/// What is left free in a root partition that has to grow.
const FREE: u64 = 64 << 20;
/// Partitions end at multiples of this.
const ALIGNMENT: u64 = 1 << 20;

/// An image that was made.
#[derive(Debug, Clone)]
pub struct Baked {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// By how many bytes the root partition had to grow.
    pub grown: u64,
    /// The system in it.
    pub tree: Tree,
    /// What is known of its checksum, because it stayed as it was.
    pub sum: Sum,
}

/// Writes `out`: the image with the packages in it, of that many bytes if a size is given. What they need and the image
/// lacks comes from the stock.
pub fn bake(
    image: &Path,
    debs: &[PathBuf],
    stock: &Stock<'_>,
    size: Option<u64>,
    out: &Path,
) -> Result<Baked> {
    ensure!(
        !is_same(image, out),
        "`{}`: would be written over: name another file or folder",
        image.display()
    );
    let base = Base::open(image)?;
    let shown = image.display();
    let (head, to) = (base.file.clone(), base.root.at);
    // Meanwhile others mostly wait for dpkg.
    let sum = thread::spawn(move || Sum::default().up_to(&head, to));
    let partition = base.root;
    let fs = Ext4::open(base.file.clone(), partition.at, partition.size)
        .with_context(|| format!("`{shown}`: the root file system (partition {})", partition.number))?;
    let mut tree = fs.tree().with_context(|| format!("`{shown}`: the root file system"))?;
    let architecture = needs::architecture(&tree).with_context(|| format!("`{shown}`"))?;
    let needs = Needs::read(&tree, debs, &architecture).with_context(|| format!("`{shown}`"))?;
    let epoch = newest(&tree);
    if !needs.missing.is_empty() {
        supply::add(&mut tree, needs, &architecture, stock, epoch).with_context(|| format!("`{shown}`"))?;
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
        Some(size) => format!("{size} bytes are too few for this image: give more, or no size"),
        None => format!("`{shown}`: the root file system cannot be written again"),
    })?;
    let end = partition.end().max((partition.at + root).next_multiple_of(ALIGNMENT));
    let size = base.write(end, out, |file| plan.write(file, partition.at))?;
    let grown = end - partition.end();
    let sum = sum
        .join()
        .expect("a checksum does not panic")
        .with_context(|| format!("`{shown}`: cannot be read"))?;
    // The partition table is another one then.
    let sum = if grown > 0 { Sum::default() } else { sum };
    Ok(Baked { path: out.to_owned(), size, grown, tree, sum })
}

/// The youngest file: what is changed becomes as old as that, because a clock would make every image another one.
fn newest(tree: &Tree) -> i64 {
    tree.iter().map(|(_, _, node)| node.modified.seconds).max().unwrap_or_default()
}

fn is_same(one: &Path, other: &Path) -> bool {
    let number = |path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    number(one).is_ok_and(|one| number(other).is_ok_and(|other| one == other))
}

impl Base {
    /// How many bytes the root file system has in an image of that size, if one is given.
    fn room(&self, size: Option<u64>) -> Result<Option<u64>> {
        let Some(size) = size else { return Ok(None) };
        ensure!(
            size >= self.size,
            "{size} bytes are fewer than the image has ({}): an image can grow and not shrink",
            self.size
        );
        let end = (size - self.table.tail()) / ALIGNMENT * ALIGNMENT;
        let end = if self.is_last() { end.max(self.root.end()) } else { self.root.end() };
        Ok(Some((end - self.root.at) / ext4::BLOCK * ext4::BLOCK))
    }

    fn is_last(&self) -> bool {
        self.table.partitions.iter().all(|partition| partition.end() <= self.root.end())
    }

    /// Copies everything but the root partition, which is written by `root` and ends there.
    fn write(&self, end: u64, out: &Path, root: impl FnOnce(&File) -> Result<()>) -> Result<u64> {
        let grows = end > self.root.end();
        if grows && !self.is_last() {
            bail!(
                "the root partition ({}) has to grow and another one lies behind it: use an image with more room in it",
                self.root.number
            );
        }
        let tail = if grows { self.table.tail() } else { 0 };
        let size = self.size.max(end + tail);
        let draft = Draft::new(out, size)?;
        let full = || format!("`{}`: cannot be written", out.display());
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
