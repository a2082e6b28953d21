//! A tree on disk, as the packagers read it: takes a [`Tree`] and the programs, makes a [`Stage`]. The only writer of
//! trees; it sets every mode and time stamp, so that the same product is the same bytes on any day.

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
    /// The directory.
    pub dir: PathBuf,
    /// Another tree has another one.
    pub digest: String,
}

/// The list of a stage's files, in it: it tells a directory of ours from one that holds somebody's work.
pub const MANIFEST: &str = "MANIFEST";

impl Stage {
    /// Writes `tree` into `dir`, in place of an earlier stage there.
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
        stage.date(epoch)?;
        Ok(stage)
    }

    /// Gives everything one time stamp: packagers copy it.
    fn date(&self, epoch: u64) -> Result<()> {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
        let times = FileTimes::new().set_modified(time).set_accessed(time);
        for entry in WalkDir::new(&self.dir).contents_first(true) {
            File::open(entry?.path())?.set_times(times)?;
        }
        Ok(())
    }
}

/// Empties a directory that is new, empty, or an earlier stage.
fn clear(dir: &Path) -> Result<()> {
    let shown = dir.display();
    if dir.exists() {
        let empty =
            fs::read_dir(dir).with_context(|| format!("`{shown}`: not a directory"))?.next().is_none();
        if !empty && !dir.join(MANIFEST).exists() {
            bail!("`{shown}`: contains other files: name an empty or new directory");
        }
        fs::remove_dir_all(dir).with_context(|| format!("`{shown}`: cannot be emptied"))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("`{shown}`: cannot be created"))
}

/// The tree as packages hold it: manual pages and changelog compressed, as distributions want them.
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
