//! `cargo xtask try`: boots a machine with a product's package installed and opens a shell in it. Leaving the
//! shell removes the machine.

use std::path::Path;
use std::time::Instant;
use std::{fs, thread};

use anyhow::{Result, anyhow, bail, ensure};
use catalog::model::Product;
use catalog::raw::Manager;
use package::dist::{Plan, dist};
use package::pack::Format;
use testbed::{Machine, Suite, ros};
use workspace::Workspace;
use workspace::target::Target;

use crate::selection::Selection;

/// The login user: root, because a machine to try things on may be broken.
const USER: &str = "root";

/// A second user, who is a member of every group the product creates.
const OPERATOR: &str = "op";

/// What to try.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Debian release of the container: bookworm, trixie or sid
    #[arg(long, value_name = "SUITE", default_value = "trixie")]
    suite: Suite,
    /// Omit the stand-ins for programs that services launch and Debian lacks
    #[arg(long)]
    bare: bool,
}

/// Builds the packages, boots the machine and connects the terminal to it.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    let products = args.selection.read(workspace)?;
    let folder = workspace.path("target/try");
    let plan = Plan {
        products: products.clone(),
        targets: vec![here()?],
        formats: vec![Format::Deb],
        dist: folder.clone(),
    };
    // Removes packages of an earlier run.
    let _ = fs::remove_dir_all(&folder);
    let begin = Instant::now();
    let mut machine = Machine::on(args.suite);
    if !args.bare {
        machine = machine.files(ros::stand_in());
    }
    // The machine boots while the packages are built, because they are independent until the installation.
    let (packages, machine) = thread::scope(|scope| {
        let machine = scope.spawn(|| machine.boot());
        let packages = dist(workspace, &plan);
        (packages, machine.join())
    });
    let (packages, machine) =
        (packages?, machine.map_err(|_| anyhow!("the thread that boots the machine panicked"))??);
    for package in &packages {
        let output = machine.install(package);
        ensure!(output.success(), "cannot install `{}`: {output}", name(package));
    }
    let groups: Vec<&str> = products.iter().flat_map(|p| &p.groups).map(|g| g.name.as_str()).collect();
    machine.add_user(OPERATOR, &groups);
    let (all, seconds) =
        (packages.iter().map(|p| name(p)).collect::<Vec<_>>(), begin.elapsed().as_secs_f64());
    eprintln!("{} with {}, after {seconds:.1} s:", args.suite, all.join(", "));
    for product in &products {
        describe(&machine, product);
    }
    eprintln!("`su - {OPERATOR}` makes you an operator; `exit` or Ctrl-D removes the machine");
    machine.lend_terminal(USER)
}

/// Prints each unit and its state.
fn describe(machine: &Machine, product: &Product) {
    let units: Vec<&str> =
        product.services.iter().filter(|s| s.scope == Manager::System).map(|s| s.unit.as_str()).collect();
    let ask = [&["systemctl", "is-active"][..], &units].concat();
    // The exit status only says that some units are not active.
    let states = machine.command(&ask).run();
    for (unit, state) in units.iter().zip(states.stdout.lines()) {
        eprintln!("  {unit:<32} {state}");
    }
    eprintln!("  man page: {}(7), files: `dpkg -L {}`", product.package, product.package);
}

fn here() -> Result<Target> {
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    match Target::parse(&triple) {
        Ok(target) => Ok(target),
        Err(why) => bail!("this machine's processor is not supported: {why}"),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
