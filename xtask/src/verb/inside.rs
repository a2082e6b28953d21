//! `cargo xtask inside`: what this program calls itself as, on its way into a namespace. No person does.

use std::path::PathBuf;

use anyhow::Result;

use crate::image::root::{self, enter};

/// Where it is, and what to do there.
#[derive(Debug, clap::Args)]
pub struct Args {
    step: enter::Step,
    plan: PathBuf,
}

/// One step; the last one makes the root.
pub fn run(args: Args) -> Result<()> {
    enter::step(args.step, &args.plan, || root::inside(&args.plan))
}
