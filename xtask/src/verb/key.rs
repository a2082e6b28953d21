//! `cargo xtask key`: the key that a repository is signed with.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use repository::{Key, Moment, generate_key};
use workspace::Workspace;

use crate::secret;

/// What to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Create a key (RSA, 4096 bits) in a new file that only you can read
    New {
        /// Key file, outside this checkout
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Owner of the key, "Name <address>"
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// Print the public key; its fingerprint goes to standard error
    Show {
        /// Key file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Does it; the secret half is written to the file and nowhere else.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    secret::keep()?;
    let now = u32::try_from(Moment::read(None)?.now)
        .context("the clock is beyond what OpenPGP can write: set it")?;
    match args.what {
        What::New { file, name } => {
            let shown = file.display();
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.map_or_else(|| PathBuf::from("."), PathBuf::from);
            let folder =
                folder.canonicalize().with_context(|| format!("`{shown}`: there is no such folder"))?;
            let checkout = workspace.path("").canonicalize()?;
            ensure!(
                !folder.starts_with(&checkout),
                "`{shown}`: is in the checkout, from where keys get published: name a file elsewhere"
            );
            ensure!(!file.exists(), "`{shown}`: is there already, and is not replaced: name a new file");
            let key = generate_key(&name, now)?;
            key.write(&file)?;
            eprintln!("fingerprint: {}", key.fingerprint());
            println!("{shown}");
        }
        What::Show { file } => {
            let key = Key::open(&file, now)?;
            eprintln!("fingerprint: {}", key.fingerprint());
            print!("{}", Key::public(&[key]));
        }
    }
    Ok(())
}
