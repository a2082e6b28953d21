//! Compares our status command with one `systemctl show` per field, as a user interface with a widget per
//! field would run.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use package::dist::{Plan, dist};
use package::pack::Format;
use testbed::{Machine, Suite, ros};
use workspace::Workspace;
use workspace::target::Target;

use crate::bench::{Report, Row};
use crate::selection::Selection;

/// Our command as people and programs call it.
const COMMAND: &str = "/usr/bin/rovi";

/// Adds up the processor time of each side with its children; runs both in turn.
const METER: &str = include_str!("status.py");

/// Measures on a booted machine, with the service that starts at boot and another one running.
pub fn run(workspace: &Workspace, rounds: u32) -> Result<Report> {
    let program = COMMAND.rsplit('/').next().unwrap_or_default();
    let products = Selection::default().read(workspace)?;
    let product = products.into_iter().find(|p| p.commands.iter().any(|command| command == program));
    let product = product.with_context(|| format!("no product ships `{COMMAND}`"))?;
    let units: Vec<String> = product.services.iter().map(|s| s.unit.clone()).collect();
    let runs = product.services.iter().find(|s| s.only_while.is_some()).map(|s| s.unit.clone());
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let target = Target::parse(&triple).map_err(|why| anyhow!("{triple}: {why}"))?;
    let folder = workspace.target_dir().join(format!("bench-{}", std::process::id()));
    let plan = Plan {
        products: vec![product],
        targets: vec![target],
        formats: vec![Format::Deb],
        dist: folder.clone(),
    };
    let packages = dist(workspace, &plan);
    let machine =
        Machine::on(Suite::Trixie).files(ros::stand_in()).file("/opt/meter.py", 0o644, METER).boot()?;
    for package in &packages? {
        let output = machine.install(package);
        ensure!(output.success(), "cannot install the package: {output}");
    }
    std::fs::remove_dir_all(&folder)?;
    if let Some(unit) = runs {
        let output = machine.command(&["systemctl", "start", &unit]).run();
        ensure!(output.success(), "cannot start the service: {output}");
    }
    let rounds_word = rounds.to_string();
    let mut argv = vec!["python3", "/opt/meter.py", &rounds_word, COMMAND];
    argv.extend(units.iter().map(String::as_str));
    let output = machine.command(&argv).within(Duration::from_secs(600)).run();
    ensure!(output.success(), "cannot measure: {output}");
    let measured: BTreeMap<String, [f64; 2]> = serde_json::from_str(&output.stdout)?;
    let milliseconds = |side: &str, of: usize| {
        measured.get(side).map(|m| m[of]).with_context(|| format!("no measurement of {side}"))
    };
    let row = |what: &str, theirs: &str, of: usize| {
        anyhow::Ok(Row::new(what, "ms", milliseconds("ours", of)?, milliseconds(theirs, of)?))
    };
    Ok(Report {
        ours: format!("{program} status"),
        theirs: "systemctl show".to_owned(),
        how: format!("means of {rounds} rounds, {} units", units.len()),
        rows: vec![
            row("CPU time: state, sub-state, exit status", "fields", 0)?,
            row("CPU time: the state alone", "states", 0)?,
            row("until it is known: state, sub-state, …", "fields", 1)?,
            row("until it is known: the state alone", "states", 1)?,
        ],
        notes: vec![
            "the CPU time is that of the asking processes, without systemd's and the bus's".to_owned(),
            format!("`{COMMAND}` is the script of the package: about a third of our side is its shell"),
            "our side also tells processes, memory, locks, what is pending and what is wrong".to_owned(),
        ],
    })
}
