//! The documentation pages: generated parts, links between pages, and the site.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use catalog::model::Product;
use walkdir::WalkDir;
use workspace::{Workspace, output};

use crate::golden::is_update;

pub mod link;
pub mod reference;
mod services;
pub mod site;

/// The folder of the site's pages.
pub const FOLDER: &str = "docs";

/// Pages outside that folder.
const ROOT_PAGES: [&str; 5] =
    ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

/// A page: its path in the checkout and its text.
#[derive(Debug)]
pub struct Page {
    /// Path in the checkout.
    pub path: PathBuf,
    /// Text in Markdown.
    pub text: String,
}

/// Reads every page of the repository, sorted by path.
pub fn read_pages(workspace: &Workspace) -> Result<Vec<Page>> {
    let root = workspace.path("");
    let mut paths: Vec<PathBuf> = ROOT_PAGES.iter().map(PathBuf::from).collect();
    for entry in WalkDir::new(workspace.path(FOLDER)) {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "md") {
            paths.push(entry.path().strip_prefix(&root)?.to_owned());
        }
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(root.join(&path)).with_context(|| format!("`{}`", path.display()))?;
        Ok(Page { path, text })
    };
    paths.into_iter().map(read).collect()
}

/// Checks that generated parts of pages are current and that links work. With `UPDATE=1` in the environment,
/// rewrites the generated parts.
pub fn check(workspace: &Workspace, products: &[Product]) -> Result<()> {
    compare(workspace, Path::new(reference::PAGE), &reference::render(), "the catalog's schema")?;
    for page in read_pages(workspace)? {
        compare(workspace, &page.path, &services::with_tables(&page.text, products), "its catalog")?;
    }
    link::check(workspace)
}

/// Compares a page with its generated version, or rewrites it.
fn compare(workspace: &Workspace, page: &Path, expected: &str, source: &str) -> Result<()> {
    let path = workspace.path("").join(page);
    if fs::read_to_string(&path).is_ok_and(|text| text == expected) {
        return Ok(());
    }
    if !is_update() {
        bail!("`{}`: differs from {source}: run `UPDATE=1 cargo xtask check`", page.display());
    }
    output::replace(&path, expected.as_bytes())
}
