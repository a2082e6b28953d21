//! The card under test: takes an opened image, makes a file that a machine may write to, larger than the image as a card
//! is. The image stays as it is; the copy is gone with its owner.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use rustix::fs::{SeekFrom, copy_file_range, seek};
use rustix::io::Errno;

use crate::card::Card;

/// A copy, in a folder of its own.
#[derive(Debug)]
pub struct Copy {
    folder: Scratch,
    card: PathBuf,
}

impl Copy {
    /// Copies what is written, and leaves out what is not.
    pub fn make(card: &Card, parent: &Path) -> Result<Copy> {
        let folder = Scratch::make(parent)?;
        let path = folder.path().join("card");
        sparse(card.path(), &path, size_of(card.size())).with_context(|| {
            format!("`{}`: no copy to boot: is there room for {} bytes?", path.display(), card.size())
        })?;
        Ok(Copy { folder, card: path })
    }

    /// The file.
    pub fn card(&self) -> &Path {
        &self.card
    }

    /// The folder, for what else a machine needs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Cards come in powers of two, and the emulator's card slot takes no others.
fn size_of(image: u64) -> u64 {
    (image + image / 4).next_power_of_two()
}

fn sparse(from: &Path, to: &Path, size: u64) -> io::Result<()> {
    let from = File::open(from)?;
    let to = File::create_new(to)?;
    to.set_len(size)?;
    let mut at = 0;
    loop {
        let begin = match seek(&from, SeekFrom::Data(at)) {
            Ok(begin) => begin,
            // Nothing but a hole is left.
            Err(Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        at = seek(&from, SeekFrom::Hole(begin))?;
        let (mut source, mut target) = (begin, begin);
        while source < at {
            let left = usize::try_from(at - source).unwrap_or(usize::MAX);
            if copy_file_range(&from, Some(&mut source), &to, Some(&mut target), left)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// A folder that is gone when its owner is.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn make(parent: &Path) -> Result<Scratch> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = parent.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("`{}`", folder.display()))?;
        Ok(Scratch(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
