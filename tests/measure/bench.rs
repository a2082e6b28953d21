//! `cargo xtask bench`: the promised numbers, with few rounds.

use std::process::Command;

use serde_json::Value;
use support::command::{both, ok, run, xtask};

use crate::alone;

/// Runs a bench until its result is good enough, with more rounds each time. The sides take turns, but other
/// load can still affect only one of them.
#[track_caller]
fn shows(bench: &str, rounds: &[u32], enough: impl Fn(&Value) -> bool) {
    let _turn = alone();
    let mut shown = Vec::new();
    for rounds in rounds {
        shown.push(ok(&mut xtask(&["bench", bench, "--json", "--rounds", &rounds.to_string()])));
        if enough(&serde_json::from_str(&shown[shown.len() - 1]).unwrap()) {
            return;
        }
    }
    let busy = Command::new("ps").args(["ax", "--sort=-pcpu", "-o", "pcpu,etime,args"]).output();
    let busy = busy.map(|output| both(&output)).unwrap_or_else(|why| why.to_string());
    let busy: Vec<&str> = busy.lines().take(8).collect();
    panic!("{}\nwhat else the machine does:\n{}", shown.join("\n"), busy.join("\n"));
}

/// Returns the first row of a bench with this prefix.
fn row<'r>(report: &'r Value, what: &str) -> &'r Value {
    let rows = report["rows"].as_array().unwrap();
    rows.iter().find(|row| row["what"].as_str().unwrap().starts_with(what)).unwrap()
}

fn ratio(report: &Value, what: &str) -> f64 {
    row(report, what)["ratio"].as_f64().unwrap()
}

#[test]
fn run_stack_costs_a_fraction_of_a_launcher_in_bash() {
    shows("run_stack", &[40, 80, 160], |report| {
        let size = row(report, "size")["ours"].as_f64().unwrap();
        assert!(size < 700.0, "{size} kB");
        ratio(report, "start") <= 0.25 && ratio(report, "resident") <= 1.0 / 3.0
    });
}

#[test]
fn a_status_costs_a_tenth_of_asking_for_each_field() {
    shows("status", &[20, 40, 80], |report| ratio(report, "CPU time") <= 0.1);
}

#[test]
fn notify_helper_is_as_quick_as_a_service_that_says_it_itself() {
    shows("notify", &[10, 20, 40, 80], |report| {
        let sides = |what: &str| {
            let row = row(report, what);
            (row["ours"].as_f64().unwrap(), row["theirs"].as_f64().unwrap())
        };
        // A pause of the host makes one value the worst without making that side slower.
        let never_later = ["shell loop, median", "shell loop, nine of ten"].map(sides);
        let (ours, theirs) = sides("sdnotify in the service, median");
        never_later.iter().all(|(ours, theirs)| ours <= theirs) && ours - theirs <= 15.0
    });
}

/// Takes a minute, mostly for creating ten thousand packages and the other tools' repositories.
#[test]
fn one_version_into_ten_thousand_costs_a_fifth_of_what_others_take() {
    shows("repo", &[3, 3, 3], |report| {
        let row = row(report, "one into 10000, both: both, clock");
        row["ours"].as_f64().unwrap() <= 2.0 && row["ratio"].as_f64().unwrap() <= 0.2
    });
}

/// Takes a minute, mostly for xz in all three programs.
#[test]
fn a_payload_is_packed_as_quickly_as_by_others_and_in_little_memory() {
    shows("payload", &[2, 3, 3], |report| {
        ratio(report, "memory") <= 1.0
            && ratio(report, "clock, against dpkg-deb") <= 1.0
            && ratio(report, "clock, against nfpm") <= 1.0
    });
}

#[test]
fn a_bench_is_a_table_and_an_unknown_one_is_refused() {
    let _turn = alone();
    let table = ok(&mut xtask(&["bench", "run_stack", "--rounds", "1"]));
    assert!(table.starts_with("medians of 1 rounds") && table.contains("resident set"), "{table}");
    let output = run(&mut xtask(&["bench", "bash"]));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: unknown bench `bash`: expected one of dist, image, notify, payload, repo, run_stack, status\n"
    );
}
