//! Creates the card to boot: a temporary copy of an image that the machine may write to, enlarged to a card
//! size. The image is not changed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use rustix::fs::{SeekFrom, copy_file_range, seek};
use rustix::io::Errno;

use crate::card::Card;

/// A copy in its own folder.
#[derive(Debug)]
pub struct Copy {
    folder: Scratch,
    card: PathBuf,
}

impl Copy {
    /// Copies the data of the image and leaves holes elsewhere.
    pub fn make(card: &Card, parent: &Path) -> Result<Copy> {
        let folder = Scratch::make(parent)?;
        let path = folder.path().join("card");
        sparse(card.path(), &path, size_of(card.size())).with_context(|| {
            format!(
                "cannot copy the image to `{}`: make sure that {} bytes are free",
                path.display(),
                card.size()
            )
        })?;
        Ok(Copy { folder, card: path })
    }

    /// Returns the path of the copy.
    pub fn card(&self) -> &Path {
        &self.card
    }

    /// Returns the folder, for other files of the machine.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Emulated card slots only accept sizes that are powers of two.
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
            // The rest is a hole.
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

/// A folder that is removed when it is dropped.
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
