//! Checks links between pages: each names a file of the checkout and, after `#`, a heading of that page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, bail};
use workspace::Workspace;

use super::{FOLDER, Page, read_pages};

const SUMMARY: &str = "SUMMARY.md";

/// Reports broken links, and pages of the site that are missing from its table of contents.
pub fn check(workspace: &Workspace) -> Result<()> {
    let faults = find_faults(&read_pages(workspace)?, |path| workspace.path("").join(path).exists());
    if !faults.is_empty() {
        bail!("{}", faults.join("\n  "));
    }
    Ok(())
}

/// Returns the faults as `PAGE:LINE: what: what to do`; `exists` checks for a file of the checkout.
pub fn find_faults(pages: &[Page], exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let anchors: BTreeMap<&Path, BTreeSet<String>> =
        pages.iter().map(|page| (page.path.as_path(), read_anchors(&page.text))).collect();
    let mut faults = Vec::new();
    let mut listed = BTreeSet::new();
    for page in pages {
        let is_summary = page.path == Path::new(FOLDER).join(SUMMARY);
        for link in read_links(&page.text) {
            let place = format!("`{}`:{}", page.path.display(), link.line);
            let (file, anchor) = link.target.split_once('#').unwrap_or((link.target, ""));
            let target = if file.is_empty() { Some(page.path.clone()) } else { resolve(&page.path, file) };
            let Some(target) = target.filter(|target| exists(target)) else {
                faults.push(format!("{place}: `{}`: no such file: correct the link", link.target));
                continue;
            };
            let known = anchors.get(target.as_path());
            if !anchor.is_empty() && !known.is_some_and(|known| known.contains(anchor)) {
                faults.push(format!("{place}: `{}`: no such heading: correct the link", link.target));
            }
            if is_summary {
                listed.insert(target);
            }
        }
    }
    for page in pages.iter().filter(|page| page.path.starts_with(FOLDER) && !page.path.ends_with(SUMMARY)) {
        if !listed.contains(&page.path) {
            faults.push(format!("`{}`: not in `{FOLDER}/{SUMMARY}`: add it", page.path.display()));
        }
    }
    faults
}

/// A relative link.
#[derive(Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// Line number, from 1.
    pub line: usize,
    /// Offset of the target in the text.
    pub at: usize,
    /// The text between the parentheses.
    pub target: &'a str,
}

/// Returns the relative links of a page, without web addresses, code blocks and code spans.
pub fn read_links(text: &str) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    for (line, start, prose) in read_prose(text) {
        let blanked = blank_code(prose);
        let mut from = 0;
        while let Some(offset) = blanked[from..].find("](") {
            let at = from + offset + 2;
            let length = blanked[at..].find(')').unwrap_or(0);
            let target = &prose[at..at + length];
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                links.push(Link { line, at: start + at, target });
            }
            from = at + length;
        }
    }
    links
}

/// Resolves a link of `page` to a path in the checkout; `None` if it leads outside.
pub fn resolve(page: &Path, file: &str) -> Option<PathBuf> {
    let mut path = page.parent()?.to_owned();
    for component in Path::new(file).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => drop(path.pop().then_some(())?),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Returns the anchors of a page's headings as mdBook and code forges generate them.
fn read_anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, _, line) in read_prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let anchor = anchor(title.trim());
        let repeated = (1..).map(|n| format!("{anchor}-{n}"));
        let free = std::iter::once(anchor.clone()).chain(repeated).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// Returns the anchor of a heading.
pub fn anchor(title: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    title.chars().filter_map(kept).collect()
}

/// Returns the lines outside code blocks, with line number and offset.
fn read_prose(text: &str) -> Vec<(usize, usize, &str)> {
    let mut prose = Vec::new();
    let (mut start, mut is_code) = (0, false);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            prose.push((index + 1, start, line.trim_end()));
        }
        start += line.len();
    }
    prose
}

/// Returns the line with its code spans blanked, with unchanged offsets.
fn blank_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    let blank =
        |(index, part): (usize, &str)| if index % 2 == 1 { " ".repeat(part.len()) } else { part.to_owned() };
    parts.map(blank).collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &str, text: &str) -> Page {
        Page { path: path.into(), text: text.to_owned() }
    }

    #[test]
    fn a_link_needs_its_file_and_its_heading() {
        let pages = [
            page("README.md", "[a](docs/a.md#a-title-twice-1), [b](docs/b.md), [c](docs/a.md#none)\n"),
            page("docs/SUMMARY.md", "- [a](a.md)\n"),
            page(
                "docs/a.md",
                "# A title, `twice`\n\n## A title: twice\n\n```sh\n# x](gone.md)\n```\n\n`[x](y)` [web](https://x.org)\n[up](../../x) [me](#none)\n",
            ),
            page("docs/c.md", ""),
        ];
        let faults = find_faults(&pages, |path| pages.iter().any(|page| page.path == path));
        assert_eq!(
            faults,
            [
                "`README.md`:1: `docs/b.md`: no such file: correct the link",
                "`README.md`:1: `docs/a.md#none`: no such heading: correct the link",
                "`docs/a.md`:10: `../../x`: no such file: correct the link",
                "`docs/a.md`:10: `#none`: no such heading: correct the link",
                "`docs/c.md`: not in `docs/SUMMARY.md`: add it",
            ]
        );
    }
}
