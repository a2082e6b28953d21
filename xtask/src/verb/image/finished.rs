//! `cargo xtask image --test`: runs the boot test of a finished image.

use std::path::Path;

use anyhow::{Result, bail};
use trial::boot::{self, Options};
use workspace::Workspace;

/// Tests the image; prints the report even if the image fails.
pub(super) fn run(workspace: &Workspace, image: &Path, options: &Options) -> Result<()> {
    let report = boot::test(workspace, image, options)?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    if !report.good {
        bail!("`{}`: {report}", image.display());
    }
    Ok(())
}
