//! Extra files of a program: its man page and its shell completions.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use workspace::Workspace;

/// A man page or a completion of a program.
#[derive(Debug, Clone)]
pub struct Extra {
    /// Name of the program.
    pub program: String,
    /// Kind, which decides the path.
    pub kind: Kind,
    /// Content of the file.
    pub text: String,
}

/// The kind of an extra file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A man page of section 1.
    Page,
    /// Completion for the shell of this name.
    Completion(&'static str),
}

/// Path of the completions for each shell; `{}` is the program. zsh's path differs between distributions, and this is
/// Debian's.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "/usr/share/bash-completion/completions/{}"),
    ("zsh", "/usr/share/zsh/vendor-completions/_{}"),
    ("fish", "/usr/share/fish/vendor_completions.d/{}.fish"),
];

impl Extra {
    /// Returns the completions of a program from `folder`, where each file is named after its shell.
    pub fn completions(folder: &Path, program: &str) -> impl Iterator<Item = Extra> {
        SHELLS.iter().filter_map(move |(shell, _)| {
            let text = std::fs::read_to_string(folder.join(shell)).ok()?;
            Some(Extra { program: program.to_owned(), kind: Kind::Completion(shell), text })
        })
    }

    /// Returns the path of a completion on the machine. A man page has none here, because its path depends on the
    /// product.
    pub fn path(&self) -> Option<String> {
        let Kind::Completion(shell) = self.kind else { return None };
        let (_, place) = SHELLS.iter().find(|(name, _)| *name == shell)?;
        Some(place.replace("{}", &self.program))
    }
}

/// Reads the man page and completions of each program of the workspace.
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
