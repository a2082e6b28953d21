//! What a program brings along beside itself: its page and what shells need to complete its command line.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use workspace::Workspace;

/// One file of it.
#[derive(Debug, Clone)]
pub struct Extra {
    /// The program.
    pub program: String,
    /// What it is.
    pub kind: Kind,
    /// The file.
    pub text: String,
}

/// What an extra is, and so where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A man page of section 1.
    Page,
    /// Completion in a shell, by the shell's name.
    Completion(&'static str),
}

/// Each shell, and where a package puts what is to be completed in it; `{}` is the program. Where zsh looks is each
/// distribution's own; this is the place of Debian's packages.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "/usr/share/bash-completion/completions/{}"),
    ("zsh", "/usr/share/zsh/vendor-completions/_{}"),
    ("fish", "/usr/share/fish/vendor_completions.d/{}.fish"),
];

impl Extra {
    /// The completions of a program: files named like the shell in `folder`.
    pub fn completions(folder: &Path, program: &str) -> impl Iterator<Item = Extra> {
        SHELLS.iter().filter_map(move |(shell, _)| {
            let text = std::fs::read_to_string(folder.join(shell)).ok()?;
            Some(Extra { program: program.to_owned(), kind: Kind::Completion(shell), text })
        })
    }

    /// Where it is installed for a program that people call by its name; none for a page, whose place depends on that.
    pub fn path(&self) -> Option<String> {
        let Kind::Completion(shell) = self.kind else { return None };
        let (_, place) = SHELLS.iter().find(|(name, _)| *name == shell)?;
        Some(place.replace("{}", &self.program))
    }
}

/// Man page and completions of each program that has them.
pub fn extras(workspace: &Workspace) -> Result<Vec<Extra>> {
    let mut extras = Vec::new();
    for program in workspace.programs()? {
        let page = workspace.path(&format!("programs/{program}/{program}.1"));
        if !page.exists() {
            continue;
        }
        let text = fs::read_to_string(&page).with_context(|| format!("`{}`", page.display()))?;
        extras.extend(Extra::completions(
            &workspace.path(&format!("programs/{program}/completions")),
            &program,
        ));
        extras.push(Extra { program, kind: Kind::Page, text });
    }
    Ok(extras)
}
