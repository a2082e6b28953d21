//! `cargo xtask image`: builds images of memory cards for boards, from packages or from an existing image.

mod finished;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use catalog::model::Product;
use first_boot::settings;
use image::Recipe;
use image::board::{Board, Suite};
use image::build::{self, FORMATS, Order};
use package::dist::make_debs;
use trial::boot::Options;
use workspace::Workspace;

use crate::selection::Selection;

/// What to make.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Board, by the name of its file in image/boards/
    #[arg(long, value_name = "BOARD", required_unless_present = "test")]
    board: Option<String>,
    /// Role of the machine, as defined by the product
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Debian release [default: the board's]
    #[arg(long, value_name = "SUITE")]
    suite: Option<String>,
    /// Install into a copy of this image instead of building one: .img, .img.xz, .img.zst or .img.gz
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// Size of the image, with K, M or G [default: as needed]
    #[arg(long, value_name = "SIZE")]
    size: Option<String>,
    /// Output formats
    #[arg(long, value_delimiter = ',', default_value = "img.xz")]
    format: Vec<String>,
    /// custom.toml to put on the boot partition of the image
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use the newest packages and update the lock files
    #[arg(long)]
    update: bool,
    /// Folder of the lock files [default: image]
    #[arg(long, value_name = "DIR")]
    locks: Option<PathBuf>,
    /// Check a finished image, and boot it in a virtual machine
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// With --test: boot on an emulated board, if the emulator supports it
    #[arg(long, requires = "test")]
    on_board: bool,
    /// Package to install instead of building the products' packages; may be repeated
    #[arg(long, value_name = "FILE")]
    deb: Vec<PathBuf>,
    /// Output folder [default: dist]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Builds the image; prints the paths of its files.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    if let Some(image) = &args.test {
        let (board, products) = (args.board, args.selection.products);
        return finished::run(
            workspace,
            image,
            &Options { board, products, next: None, on_board: args.on_board },
        );
    }
    let board = Board::read(
        workspace,
        args.board.as_deref().context("missing --board: name the machine that the image is for")?,
    )?;
    let suite = Suite::read(workspace, args.suite.as_deref().unwrap_or(&board.suite))?;
    if let Some(other) = args.format.iter().find(|format| !FORMATS.contains(&format.as_str())) {
        bail!("unknown image format `{other}`: expected one of {}", FORMATS.join(", "));
    }
    let size = args.size.as_deref().map(bytes).transpose()?;
    let products = args.selection.of_image(workspace)?;
    let configuration = configuration(&args, &products)?;
    image::prepare(board.is_foreign()?.then_some(&board.architecture))?;
    let debs = if args.deb.is_empty() {
        make_debs(workspace, &board.architecture, &products)?
    } else {
        args.deb.clone()
    };
    let here = args.out.is_none();
    let out = args.out.unwrap_or_else(|| workspace.path("dist"));
    let update = if args.update { Some(image::needs(&everything(workspace, &products)?)) } else { None };
    let locks = args.locks.unwrap_or_else(|| workspace.path("image"));
    let recipe = Recipe { board: &board, suite: &suite, needs: image::needs(&products), locks, update };
    let order = Order { recipe, products: &products, debs, size, formats: args.format, configuration, out };
    let image = match &args.base {
        Some(base) => build::bake(workspace, base, &order)?,
        None => build::build(workspace, &order)?,
    };
    eprint!("{}", image.report);
    for path in image.paths {
        let printed_path = if here { path.strip_prefix(workspace.path("")).unwrap_or(&path) } else { &path };
        println!("{}", printed_path.display());
    }
    Ok(())
}

/// Returns all products. A lock covers all of them, because a lock for one product would be wrong for
/// another.
fn everything(workspace: &Workspace, named: &[Product]) -> Result<Vec<Product>> {
    let mut all = Selection::default().read(workspace)?;
    let others = named.iter().filter(|p| !all.iter().any(|known| known.name == p.name)).cloned();
    all.extend(others.collect::<Vec<_>>());
    Ok(all)
}

/// Returns the first-boot file with the role set.
fn configuration(args: &Args, products: &[Product]) -> Result<Option<String>> {
    let text = match &args.config {
        Some(path) => {
            let display = path.display();
            let text =
                fs::read_to_string(path).with_context(|| format!("cannot read `{display}` as text"))?;
            // Uses the machine's own parser, so mistakes are found before the card is written.
            let faults = settings::read(text.as_bytes()).faults;
            if !faults.is_empty() {
                let lines: Vec<String> =
                    faults.iter().map(|f| format!("line {}: {}", f.line, f.what)).collect();
                bail!("`{display}`: {}", lines.join("; "));
            }
            Some(text)
        }
        None => None,
    };
    let Some(role) = &args.role else { return Ok(text) };
    let known: Vec<&str> = products.iter().flat_map(|p| &p.roles).map(|role| role.name.as_str()).collect();
    ensure!(known.contains(&role.as_str()), "unknown role `{role}`: expected one of {}", known.join(", "));
    let mut table: toml::Table = toml::from_str(text.as_deref().unwrap_or("config_version = 1\n"))?;
    let robot = table.entry("robot").or_insert_with(|| toml::Table::new().into());
    let robot = robot.as_table_mut().context("--config: its `robot` is not a table")?;
    match robot.get("role").and_then(toml::Value::as_str) {
        Some(other) if other != role => {
            bail!("--role {role}: the file of --config has the role `{other}`: remove one of them")
        }
        _ => drop(robot.insert("role".to_owned(), role.as_str().into())),
    }
    Ok(Some(toml::to_string(&table)?))
}

/// Parses a size with an optional unit.
fn bytes(text: &str) -> Result<u64> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: u64 = number
        .parse()
        .ok()
        .with_context(|| format!("invalid --size `{text}`: expected a number with K, M or G"))?;
    number.checked_mul(unit).with_context(|| format!("invalid --size `{text}`: too large"))
}
