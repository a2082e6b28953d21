//! Reads configuration files from the folders of `image/files`. Files that end in `.j2` are templates; all
//! others are copied.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use minijinja::{Environment, UndefinedBehavior, Value, context};
use walkdir::WalkDir;
use workspace::Workspace;

use super::board::{Board, Suite};
use super::root::{Content, Written};

/// Returns the files of a board. `disk` is the disk identifier by which the running system names its
/// partitions.
pub fn files(workspace: &Workspace, board: &Board, suite: &Suite, disk: &str) -> Result<Vec<Written>> {
    let pockets: Vec<Value> = suite
        .archive
        .pocket
        .iter()
        .filter(|pocket| !pocket.on_request || board.from.contains_key(&pocket.suite))
        .map(|pocket| context! { suite => pocket.suite, mirror => pocket.mirror, on_request => pocket.on_request })
        .collect();
    let from: Vec<Value> = board
        .from
        .iter()
        .map(|(pocket, patterns)| context! { pocket, patterns => patterns.join(" ") })
        .collect();
    let variables = context! {
        disk, pockets, from,
        components => suite.archive.components,
        keyring => suite.archive.keyring.display().to_string(),
        console => board.console,
        command_line => board.command_line,
        leave_out => [suite.system.leave_out.clone(), board.leave_out.clone()].concat(),
        keep => [suite.system.keep.clone(), board.keep.clone()].concat(),
    };
    let mut files = Vec::new();
    for name in &board.files {
        let folder = workspace.path("image/files").join(name);
        ensure!(folder.is_dir(), "`image/files/{name}`: no such folder, but board {} names it", board.name);
        for entry in WalkDir::new(&folder).sort_by_file_name() {
            let entry = entry?;
            if !entry.file_type().is_dir() {
                files.push(file(entry.path(), &folder, &variables)?);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn file(source: &Path, folder: &Path, variables: &Value) -> Result<Written> {
    let display = source.display();
    let inner = source
        .strip_prefix(folder)?
        .to_str()
        .with_context(|| format!("`{display}`: the file name is not UTF-8"))?;
    if source.is_symlink() {
        let content = Content::Link(fs::read_link(source)?);
        return Ok(Written { path: format!("/{inner}"), mode: 0o777, content });
    }
    let text = fs::read_to_string(source).with_context(|| format!("`{display}`"))?;
    // git only records whether a file is executable.
    let mode = if fs::metadata(source)?.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
    let (inner, text) = match inner.strip_suffix(".j2") {
        Some(inner) => (inner, rendered(&text, variables).with_context(|| format!("`{display}`"))?),
        None => (inner, text),
    };
    Ok(Written { path: format!("/{inner}"), mode, content: Content::Text(text) })
}

fn rendered(text: &str, variables: &Value) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_keep_trailing_newline(true);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    Ok(environment.render_str(text, variables)?)
}
