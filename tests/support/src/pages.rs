//! The documentation pages and their code blocks.

use std::fs;
use std::path::PathBuf;

use crate::command::root;

/// A page: path in the checkout and text.
#[derive(Debug)]
pub struct Page {
    pub path: String,
    pub text: String,
}

/// A code block.
#[derive(Debug)]
pub struct Block<'p> {
    /// Line number of its fence.
    pub line: usize,
    /// Info string of the fence, such as `sh` or `console robot`.
    pub fence: &'p str,
    /// The lines between the fences.
    pub text: String,
}

impl Page {
    /// Reads a page.
    pub fn read(path: &str) -> Page {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        Page { path: path.to_owned(), text }
    }

    /// Returns its code blocks in order.
    pub fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks: Vec<Block<'_>> = Vec::new();
        let mut is_open = false;
        for (index, line) in self.text.lines().enumerate() {
            match line.strip_prefix("```") {
                Some(_) if is_open => is_open = false,
                Some(fence) => {
                    blocks.push(Block { line: index + 1, fence, text: String::new() });
                    is_open = true;
                }
                None if is_open => {
                    let block = blocks.last_mut().unwrap();
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                None => {}
            }
        }
        assert!(!is_open, "{}: unterminated code block", self.path);
        blocks
    }
}

/// Returns README.md and every page of the site.
pub fn pages() -> Vec<Page> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    names.sort();
    let docs = names.iter().map(|path| format!("docs/{}", path.file_name().unwrap().to_str().unwrap()));
    std::iter::once("README.md".to_owned()).chain(docs).map(|path| Page::read(&path)).collect()
}
