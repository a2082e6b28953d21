//! Compares rendered files with checked-in copies, so that a template change shows up as a diff to review.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use package::stage::MANIFEST;
use package::tree::Tree;
use similar::TextDiff;
use walkdir::WalkDir;

/// Compares a tree with its golden copy in `dir`. With `UPDATE=1` in the environment, rewrites the copy.
pub fn check(tree: &Tree, dir: &Path) -> Result<()> {
    let mut rendered: BTreeMap<String, Vec<u8>> =
        tree.0.iter().map(|(path, file)| (path.clone(), file.bytes.clone())).collect();
    rendered.insert(MANIFEST.to_owned(), tree.manifest().into_bytes());
    if is_update() {
        return rewrite(&rendered, dir);
    }
    let kept = read(dir)?;
    let paths: Vec<&String> =
        rendered.keys().chain(kept.keys().filter(|path| !rendered.contains_key(*path))).collect();
    let mut diff = String::new();
    for path in paths {
        let text = |side: &BTreeMap<String, Vec<u8>>| {
            String::from_utf8_lossy(side.get(path).map_or(&[], Vec::as_slice)).into_owned()
        };
        let (old, new) = (text(&kept), text(&rendered));
        if old != new {
            let display_path = dir.join(path).display().to_string();
            diff.push_str(
                &TextDiff::from_lines(&old, &new)
                    .unified_diff()
                    .header(&display_path, "rendered")
                    .to_string(),
            );
        }
    }
    if !diff.is_empty() {
        bail!(
            "`{}` differs from the rendered files: review this, then run `UPDATE=1 cargo xtask check`:\n{diff}",
            dir.display()
        );
    }
    Ok(())
}

/// Returns whether to rewrite checked-in copies instead of comparing them.
pub fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some_and(|v| v == "1")
}

fn rewrite(rendered: &BTreeMap<String, Vec<u8>>, dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    for (path, bytes) in rendered {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap_or(dir))?;
        fs::write(&path, bytes).with_context(|| format!("`{}`", path.display()))?;
    }
    Ok(())
}

fn read(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in WalkDir::new(dir).into_iter().filter_map(Result::ok).filter(|e| e.file_type().is_file()) {
        let path = entry.path().strip_prefix(dir)?.to_string_lossy().into_owned();
        files.insert(path, fs::read(entry.path())?);
    }
    Ok(files)
}
