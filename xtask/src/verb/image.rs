//! `cargo xtask image`: memory cards for boards, from packages or from an image that there is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::image::board::{Board, Suite};
use crate::image::boot::{self, Options};
use crate::image::{self, Recipe};
use crate::model::Product;
use crate::workspace::{Selection, Workspace};

/// What to make.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// The machine that it is for, by the name of its file in image/boards/
    #[arg(long, value_name = "BOARD", required_unless_present = "test")]
    board: Option<String>,
    /// What the machine is, a role of the product
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Debian's release [default: the board's]
    #[arg(long, value_name = "SUITE")]
    suite: Option<String>,
    /// Install into a copy of this image, instead of making one: .img, .img.xz, .img.zst or .img.gz
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// Size of the whole image, with K, M or G [default: what is needed]
    #[arg(long, value_name = "SIZE")]
    size: Option<String>,
    /// Kinds of file
    #[arg(long, value_delimiter = ',', default_value = "img.xz")]
    format: Vec<String>,
    /// The file of the first boot, put into the image as if somebody had copied it onto the card
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take the newest packages and write the lock file anew
    #[arg(long)]
    update: bool,
    /// Check a finished image, boot it in a virtual machine, and check that
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// With --test: on the board itself, as far as the emulator has it
    #[arg(long, requires = "test")]
    on_board: bool,
    /// Folder to put them in [default: dist]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Makes the image; paths of what was made go to standard output.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    if let Some(image) = &args.test {
        let options = Options {
            board: args.board,
            products: args.selection.products,
            next: None,
            on_board: args.on_board,
        };
        return trial(workspace, image, &options);
    }
    let board =
        Board::read(workspace, args.board.as_deref().context("--board BOARD: which machine it is for")?)?;
    let suite = Suite::read(workspace, args.suite.as_deref().unwrap_or(&board.suite))?;
    image::prepare(board.is_foreign()?.then_some(&board.architecture))?;
    let products = image::products(workspace, &args.selection)?;
    let update = if args.update { Some(image::needs(&everything(workspace, &products)?)) } else { None };
    let recipe = Recipe { board: &board, suite: &suite, needs: image::needs(&products), update };
    let base = image::base(workspace, &recipe)?;
    println!("{}", base.tar.display());
    Ok(())
}

/// Every product that there is, for the lock: one that is changed for each would never be right for two.
fn everything(workspace: &Workspace, named: &[Product]) -> Result<Vec<Product>> {
    let mut all = Selection::default().read(workspace)?;
    all.extend(
        named.iter().filter(|p| !all.iter().any(|known| known.name == p.name)).cloned().collect::<Vec<_>>(),
    );
    Ok(all)
}

/// The report goes to standard output, also of an image that fails.
fn trial(workspace: &Workspace, image: &Path, options: &Options) -> Result<()> {
    let report = boot::test(workspace, image, options)?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    if !report.good {
        bail!("`{}`: {report}", image.display());
    }
    Ok(())
}
