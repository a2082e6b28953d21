//! `cargo xtask bench`: what it promises of run_stack, in few rounds.

use serde_json::Value;

use crate::alone;
use crate::command::{ok, run, xtask};

#[test]
fn run_stack_costs_a_fraction_of_a_launcher_in_bash() {
    let _turn = alone();
    let mut shown = String::new();
    // Both sides take turns, but a machine with other work can still hit one of them: a second opinion is heard.
    for rounds in ["40", "80", "160"] {
        shown = ok(&mut xtask(&["bench", "run_stack", "--json", "--rounds", rounds]));
        let report: Value = serde_json::from_str(&shown).unwrap();
        let row = |what: &str| {
            let rows = report["rows"].as_array().unwrap();
            rows.iter().find(|row| row["what"].as_str().unwrap().starts_with(what)).unwrap().clone()
        };
        let ratio = |what: &str| row(what)["ratio"].as_f64().unwrap();
        let size = row("size")["ours"].as_f64().unwrap();
        assert!(size < 700.0, "{size} kB");
        if ratio("start") <= 0.25 && ratio("resident") <= 1.0 / 3.0 {
            return;
        }
    }
    panic!("{shown}");
}

#[test]
fn a_status_costs_a_tenth_of_asking_for_each_field() {
    let _turn = alone();
    let mut shown = String::new();
    for rounds in ["20", "40", "80"] {
        shown = ok(&mut xtask(&["bench", "status", "--json", "--rounds", rounds]));
        let report: Value = serde_json::from_str(&shown).unwrap();
        let row = &report["rows"][0];
        assert!(row["what"].as_str().unwrap().starts_with("CPU time"), "{shown}");
        if row["ratio"].as_f64().unwrap() <= 0.1 {
            return;
        }
    }
    panic!("{shown}");
}

#[test]
fn notify_helper_is_as_quick_as_a_service_that_says_it_itself() {
    let _turn = alone();
    let mut shown = String::new();
    // The same: a second opinion is heard.
    for rounds in ["10", "20", "40"] {
        shown = ok(&mut xtask(&["bench", "notify", "--json", "--rounds", rounds]));
        let report: Value = serde_json::from_str(&shown).unwrap();
        let sides = |what: &str| {
            let row = report["rows"].as_array().unwrap().iter().find(|row| row["what"] == what).unwrap();
            (row["ours"].as_f64().unwrap(), row["theirs"].as_f64().unwrap())
        };
        let never_later = ["shell loop, median", "shell loop, worst"]
            .map(sides)
            .iter()
            .all(|(ours, theirs)| ours <= theirs);
        let (ours, theirs) = sides("sdnotify in the service, median");
        if never_later && ours - theirs <= 15.0 {
            return;
        }
    }
    panic!("{shown}");
}

/// All of it takes a minute, nearly all of which is the making of ten thousand packages and of the other side's repositories.
#[test]
fn one_version_into_ten_thousand_costs_a_fifth_of_what_others_take() {
    let _turn = alone();
    let shown = ok(&mut xtask(&["bench", "repo", "--json", "--rounds", "3"]));
    let report: Value = serde_json::from_str(&shown).unwrap();
    let row = report["rows"].as_array().unwrap().iter();
    let row = row.clone().find(|row| row["what"] == "one into 10000, both: both, clock").unwrap();
    assert!(row["ours"].as_f64().unwrap() <= 2.0 && row["ratio"].as_f64().unwrap() <= 0.2, "{shown}");
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
        "error: `bash` is no bench: known: dist, image, notify, repo, run_stack, status\n"
    );
}
