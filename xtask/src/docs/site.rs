//! Builds the site from the pages with mdBook.
//!
//! mdBook reads a copy of the pages, in which links out of their folder lead to the repository on the web.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;
use workspace::tool::MDBOOK;
use workspace::{Workspace, output};
use xshell::{Shell, cmd};

use super::link::{read_links, resolve};
use super::{FOLDER, Page, read_pages};

const BOOK: &str = "book.toml";

/// A file in every site that mdBook builds.
const MARK: &str = ".nojekyll";

/// Builds the site in `out`.
pub fn build(workspace: &Workspace, out: &Path) -> Result<()> {
    let is_empty = fs::read_dir(out).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty && !out.join(MARK).exists() {
        bail!("`{}`: contains other files: name an empty or new directory", out.display());
    }
    let mdbook = MDBOOK.path()?;
    let _turn = workspace.turn()?;
    let copy = workspace.target_dir().join("docs-pages");
    write_copy(workspace, &copy)?;
    let out = std::path::absolute(out)?;
    let sh = Shell::new()?;
    sh.change_dir(copy.join(FOLDER));
    let result = cmd!(sh, "{mdbook} build --dest-dir {out}").quiet().ignore_status().output()?;
    let log = String::from_utf8_lossy(&result.stderr);
    // mdBook only warns about problems and succeeds.
    let complaints: Vec<&str> =
        log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    if !result.status.success() || !complaints.is_empty() {
        bail!("mdBook cannot build the pages: correct them:\n{log}");
    }
    Ok(())
}

/// Copies the pages and the other files in their folder.
fn write_copy(workspace: &Workspace, copy: &Path) -> Result<()> {
    let repository = read_repository(workspace)?;
    if copy.exists() {
        fs::remove_dir_all(copy)?;
    }
    let root = workspace.path("");
    for entry in WalkDir::new(workspace.path(FOLDER)).sort_by_file_name() {
        let entry = entry?;
        let target = copy.join(entry.path().strip_prefix(&root)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    for page in read_pages(workspace)? {
        output::replace(&copy.join(&page.path), with_web_links(&page, &repository).as_bytes())?;
    }
    Ok(())
}

/// Returns the repository's web address from the site's configuration.
fn read_repository(workspace: &Workspace) -> Result<String> {
    let path = workspace.path(FOLDER).join(BOOK);
    let display_path = format!("{FOLDER}/{BOOK}");
    let text = fs::read_to_string(path).with_context(|| format!("`{display_path}`"))?;
    let book: toml::Table = toml::from_str(&text).with_context(|| format!("`{display_path}`"))?;
    let html = book.get("output").and_then(|output| output.get("html"));
    let address = html.and_then(|html| html.get("git-repository-url")).and_then(toml::Value::as_str);
    Ok(address
        .with_context(|| format!("`{display_path}`: `git-repository-url`: missing: add it"))?
        .to_owned())
}

/// Returns a page whose links out of the site's folder lead to the repository.
fn with_web_links(page: &Page, repository: &str) -> String {
    let mut text = page.text.clone();
    for link in read_links(&page.text).into_iter().rev() {
        let (file, anchor) = link.target.split_once('#').unwrap_or((link.target, ""));
        let Some(target) = resolve(&page.path, file).filter(|_| !file.is_empty()) else { continue };
        if !target.starts_with(FOLDER) {
            let hash = if anchor.is_empty() { "" } else { "#" };
            let address = format!("{repository}/blob/main/{}{hash}{anchor}", target.display());
            text.replace_range(link.at..link.at + link.target.len(), &address);
        }
    }
    text
}
