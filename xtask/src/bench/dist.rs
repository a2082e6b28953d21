//! How long `dist` takes for who waits for it: on a clean clone with empty caches, and after a change of one value of
//! a catalog.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::workspace::Workspace;

const COLD: Duration = Duration::from_secs(360);
const WARM: Duration = Duration::from_secs(10);

/// Measures both in a copy of the checkout, for the first product of it; crates that cargo has downloaded already are
/// not downloaded again.
pub fn run(workspace: &Workspace) -> Result<()> {
    let product = workspace.products()?.into_iter().next().context("there is no catalog")?;
    let sh = Shell::new()?;
    let dir = sh.create_temp_dir()?;
    let copy = dir.path().join("checkout");
    sh.change_dir(workspace.path(""));
    cmd!(sh, "git clone --quiet . {copy}").quiet().run()?;
    let cold = timed(&sh, &copy, dir.path(), &product)?;
    let catalog = copy.join("catalog").join(format!("{product}.toml"));
    let text = fs::read_to_string(&catalog)?;
    let changed = text.replacen("\nsummary = \"", "\nsummary = \"new ", 1);
    ensure!(changed != text, "`{}` has no summary to change", catalog.display());
    fs::write(&catalog, changed)?;
    let warm = timed(&sh, &copy, dir.path(), &product)?;
    println!("dist {product}, clean clone, empty caches: {:6.1} s (promised: {} s)", cold.as_secs_f64(), COLD.as_secs());
    println!("dist {product}, one value changed:         {:6.1} s (promised: {} s)", warm.as_secs_f64(), WARM.as_secs());
    ensure!(cold <= COLD && warm <= WARM, "slower than promised");
    Ok(())
}

fn timed(sh: &Shell, checkout: &Path, caches: &Path, product: &str) -> Result<Duration> {
    let _dir = sh.push_dir(checkout);
    let start = Instant::now();
    cmd!(sh, "cargo xtask dist {product}")
        .env("XDG_CACHE_HOME", caches.join("cache"))
        .env("CARGO_TARGET_DIR", caches.join("target"))
        .env_remove("CARGO_MANIFEST_DIR")
        .quiet()
        .ignore_stdout()
        .run()?;
    Ok(start.elapsed())
}
