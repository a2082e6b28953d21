//! `cargo xtask test`: runs every check and test as CI does.

use anyhow::{Context, Result};
use workspace::Workspace;
use workspace::tool::CARGO_DENY;
use xshell::{Shell, cmd};

use crate::verb::check;

/// Restores default signal actions. A shell ignores SIGINT for background jobs and `nohup` ignores SIGHUP;
/// the programs under test would inherit that and could not be stopped.
const CARGO_TEST: [&str; 3] = ["--default-signal=HUP,INT,QUIT", "cargo", "test"];

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run only tests whose name contains this; skips format, lints and licenses
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Run only the soak test, with 1,000 random starts, stops and kills per suite
    #[arg(long, conflicts_with = "name")]
    soak: bool,
}

/// Runs the steps in order and stops at the first failure.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    let sh = Shell::new()?;
    sh.change_dir(workspace.path(""));
    sh.set_var("ROVI_COMPRESSION", "quick");
    if let Some(name) = args.name {
        return cmd!(sh, "env {CARGO_TEST...} --quiet --locked --workspace -- {name}")
            .quiet()
            .run()
            .context("tests failed");
    }
    if args.soak {
        return cmd!(
            sh,
            "env {CARGO_TEST...} --quiet --locked --package tests --test robot -- soak --nocapture"
        )
        .env("SOAK", "1000")
        .quiet()
        .run()
        .context("the soak test failed");
    }
    step("format");
    cmd!(sh, "cargo fmt --all --check").quiet().run().context("run `cargo fmt --all`")?;
    step("lints");
    cmd!(sh, "cargo clippy --quiet --locked --workspace --all-targets -- -D warnings").quiet().run()?;
    step("licenses and sources of the dependencies");
    let deny = CARGO_DENY.path()?;
    // Not the advisories: they need a server, so only the CI workflow checks them.
    cmd!(sh, "{deny} --locked --log-level error check bans licenses sources").quiet().run()?;
    step("catalogs, goldens, units, pages");
    check::run(workspace, check::Args::default())?;
    step("tests");
    cmd!(sh, "env {CARGO_TEST...} --locked --workspace --no-fail-fast").quiet().run().context("tests failed")
}

fn step(what: &str) {
    eprintln!("== {what}");
}
