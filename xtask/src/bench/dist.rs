//! Measures `dist` on a clean clone with empty caches, and after a change of one value of a catalog. It
//! replaces no other tool, so it is compared with the promised times.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use workspace::Workspace;
use xshell::{Shell, cmd};

use crate::bench::{Report, Row};

/// Promised maximum in seconds.
const COLD: f64 = 200.0;
const WARM: f64 = 10.0;

/// Measures each once in a clone of the checkout, for the default product of images.
pub fn run(workspace: &Workspace, _rounds: u32) -> Result<Report> {
    let product = image::Defaults::read(workspace)?.product;
    let sh = Shell::new()?;
    let dir = sh.create_temp_dir()?;
    let clone = dir.path().join("clone");
    sh.change_dir(workspace.path(""));
    cmd!(sh, "git clone --quiet . {clone}").quiet().run()?;
    let cold = seconds(&sh, &clone, dir.path(), &product)?;
    let catalog = clone.join("catalog").join(format!("{product}.toml"));
    let text = fs::read_to_string(&catalog)?;
    let changed = text.replacen("\nsummary = \"", "\nsummary = \"new ", 1);
    ensure!(changed != text, "no summary to change in `{}`", catalog.display());
    fs::write(&catalog, changed)?;
    let warm = seconds(&sh, &clone, dir.path(), &product)?;
    Ok(Report {
        ours: "measured".to_owned(),
        theirs: "promised".to_owned(),
        how: format!("cargo xtask dist {product}"),
        rows: vec![
            Row::new("on a clean clone, with empty caches", "s", cold, COLD),
            Row::new("after a change of one value", "s", warm, WARM),
        ],
        notes: vec!["crates that cargo has downloaded already are not downloaded again".to_owned()],
    })
}

fn seconds(sh: &Shell, clone: &Path, caches: &Path, product: &str) -> Result<f64> {
    let _dir = sh.push_dir(clone);
    let start = Instant::now();
    cmd!(sh, "cargo xtask dist {product}")
        .env("XDG_CACHE_HOME", caches.join("cache"))
        .env("CARGO_TARGET_DIR", caches.join("target"))
        .env("ROVI_COMPRESSION", "best")
        .env_remove("CARGO_MANIFEST_DIR")
        .quiet()
        .ignore_stdout()
        .run()?;
    Ok(start.elapsed().as_secs_f64())
}
