//! `cargo xtask key`: creates and shows the key that signs repositories.

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

/// Creates or shows a key. The secret half is written only to the file.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    secret::keep()?;
    let now =
        u32::try_from(Moment::read(None)?.now).context("the clock is beyond the range of OpenPGP: set it")?;
    match args.what {
        What::New { file, name } => {
            let display = file.display();
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.map_or_else(|| PathBuf::from("."), PathBuf::from);
            let folder = folder.canonicalize().with_context(|| format!("`{display}`: no such folder"))?;
            let checkout = workspace.path("").canonicalize()?;
            ensure!(
                !folder.starts_with(&checkout),
                "`{display}`: is in the checkout, where a key could be published: name a file elsewhere"
            );
            ensure!(!file.exists(), "`{display}`: already exists and is not replaced: name a new file");
            let key = generate_key(&name, now)?;
            key.write(&file)?;
            eprintln!("fingerprint: {}", key.fingerprint());
            println!("{display}");
        }
        What::Show { file } => {
            let key = Key::open(&file, now)?;
            eprintln!("fingerprint: {}", key.fingerprint());
            print!("{}", Key::public(&[key]));
        }
    }
    Ok(())
}
