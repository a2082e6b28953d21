//! Writes a [`Tree`] to disk as a [`Stage`] for the packagers to read. It sets every mode and time stamp, so that the
//! same product gives the same bytes on any day.

use std::fs::{self, File, FileTimes, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use flate2::{Compression, GzBuilder};
use walkdir::WalkDir;

use crate::tree::Tree;

/// A directory that holds exactly one tree.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Path of the directory.
    pub dir: PathBuf,
    /// Digest of the tree, for cache keys.
    pub digest: String,
}

/// Name of the file that lists a stage's files. Only directories with this file are emptied, so that a wrong path
/// cannot delete other files.
pub const MANIFEST: &str = "MANIFEST";

impl Stage {
    /// Writes `tree` into `dir`, and replaces an earlier stage there.
    pub fn write(tree: &Tree, epoch: u64, dir: &Path) -> Result<Stage> {
        clear(dir)?;
        for (path, file) in &tree.0 {
            let path = dir.join(path);
            let parent = path.parent().unwrap_or(dir);
            fs::create_dir_all(parent)
                .with_context(|| format!("`{}`: cannot be created", parent.display()))?;
            fs::write(&path, &file.bytes)
                .with_context(|| format!("`{}`: cannot be written", path.display()))?;
            fs::set_permissions(&path, Permissions::from_mode(file.mode))?;
        }
        fs::write(dir.join(MANIFEST), tree.manifest())?;
        let stage = Stage { dir: dir.to_owned(), digest: tree.digest() };
        stage.set_times(epoch)?;
        Ok(stage)
    }

    /// Gives every file the same time stamp, because packagers copy it into the package.
    fn set_times(&self, epoch: u64) -> Result<()> {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
        let times = FileTimes::new().set_modified(time).set_accessed(time);
        for entry in WalkDir::new(&self.dir).contents_first(true) {
            File::open(entry?.path())?.set_times(times)?;
        }
        Ok(())
    }
}

/// Creates a directory, or empties it if it is an earlier stage.
fn clear(dir: &Path) -> Result<()> {
    let path = dir.display();
    if dir.exists() {
        let empty = fs::read_dir(dir).with_context(|| format!("`{path}`: not a directory"))?.next().is_none();
        if !empty && !dir.join(MANIFEST).exists() {
            bail!("`{path}`: contains other files: name an empty or new directory");
        }
        fs::remove_dir_all(dir).with_context(|| format!("`{path}`: cannot be emptied"))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("`{path}`: cannot be created"))
}

/// Compresses man pages and the changelog, as distributions require.
pub fn compress(tree: Tree) -> Result<Tree> {
    let mut packed = Tree::default();
    for (path, file) in tree.0 {
        if path.starts_with("root/usr/share/man/") || path == "deb/changelog" {
            packed.add(format!("{path}.gz"), file.mode, gzip(&file.bytes)?);
        } else {
            packed.add(path, file.mode, file.bytes);
        }
    }
    Ok(packed)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
