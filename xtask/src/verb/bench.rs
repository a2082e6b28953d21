//! `cargo xtask bench`: compares programs of ours with what they replace, both in one run.

use anyhow::{Result, bail};
use workspace::Workspace;

use crate::bench::{Report, dist, image, notify, payload, repo, run_stack, status};

/// Names of the benches, and functions that run them for a number of rounds.
const BENCHES: [(&str, Bench); 7] = [
    ("dist", dist::run),
    ("image", image::run),
    ("notify", notify::run),
    ("payload", payload::run),
    ("repo", repo::run),
    ("run_stack", run_stack::run),
    ("status", status::run),
];

type Bench = fn(&Workspace, u32) -> Result<Report>;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Benchmarks to run [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Number of runs per side; the sides alternate
    #[arg(long, value_name = "N", default_value_t = 200)]
    rounds: u32,
    /// Print one JSON object per benchmark instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the benches and prints each result.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    let known = BENCHES.map(|(name, _)| name);
    if let Some(name) = args.names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("unknown bench `{name}`: expected one of {}", known.join(", "));
    }
    for (name, bench) in BENCHES {
        if args.names.is_empty() || args.names.iter().any(|n| n == name) {
            let report = bench(workspace, args.rounds.max(1))?;
            if args.json {
                println!("{}", serde_json::to_string(&report)?);
            } else {
                print!("{report}");
            }
        }
    }
    Ok(())
}
