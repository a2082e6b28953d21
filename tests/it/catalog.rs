//! Valid and invalid catalogs. Each directory `tests/cases/bad-*` contains a catalog and its complete error text, each
//! `tests/cases/good-*` one that is accepted and rendered. Adding a case needs no Rust.
//!
//! `UPDATE=1 cargo test --test it catalog` rewrites the expected texts; read the difference before you commit it.

use std::fs;
use std::path::{Path, PathBuf};

use catalog::model::Product;

/// The programs that catalogs of the cases can package.
pub(crate) const PROGRAMS: [&str; 3] = ["notify-helper", "rovi", "run_stack"];

#[test]
fn every_fault_of_a_bad_catalog_is_reported() {
    let cases = cases("bad-");
    assert!(cases.len() >= 60, "only {} bad catalogs", cases.len());
    let mut failures = String::new();
    for case in cases {
        let found = match read(&case) {
            Ok(_) => "accepted\n".to_owned(),
            Err(findings) => format!("{findings}\n"),
        };
        let file = case.join("expected.txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &found).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            failures += &format!("--- {}\n+++ found\n{}", file.display(), difference(&expected, &found));
        }
        for line in found.lines().filter(|line| !is_message(line)) {
            failures += &format!("{}: not of the form of a message: {line}\n", case.display());
        }
    }
    assert!(failures.is_empty(), "\n{failures}UPDATE=1 accepts what was found\n");
}

#[test]
fn good_catalogs_are_accepted() {
    for case in cases("good-") {
        match read(&case) {
            Ok(product) => assert!(!package::render::render(&product, &[]).0.is_empty()),
            Err(findings) => panic!("{}:\n{findings}", case.display()),
        }
    }
}

/// A program may generate this; it once took half a minute.
#[test]
fn a_long_chain_of_defaults_is_followed_quickly() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/rovi.toml");
    let mut text = fs::read_to_string(path).unwrap();
    for number in 0..1500 {
        text += &format!("[default.d{number}]\nuse = \"d{}\"\n", number + 1);
    }
    text += "[default.d1500]\nuse = \"stack\"\n[service.far]\nuse = \"d0\"\ndescription = \"far away\"\n";
    let begin = used();
    let programs = ["notify-helper", "rovi", "run_stack"].map(str::to_owned);
    let product = catalog::read("catalog.toml", &text, &programs, &[], &catalog::Given::new()).unwrap();
    let took = used() - begin;
    assert!(product.services.iter().any(|s| s.name == "far" && s.frame.as_deref() == Some("odom")));
    assert!(took < 5.0, "{took} s");
}

/// Returns this thread's processor time, which does not depend on other load.
fn used() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// A case with a directory `tree` contains the complete rendered files; `UPDATE=1` rewrites them.
#[test]
fn what_is_rendered_of_a_case_is_known() {
    let trees: Vec<PathBuf> = cases("good-").into_iter().filter(|case| case.join("tree").is_dir()).collect();
    assert!(!trees.is_empty());
    for case in trees {
        let tree = package::render::render(&read(&case).unwrap(), &[]);
        xtask::golden::check(&tree, &case.join("tree")).unwrap();
    }
}

fn cases(prefix: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| case.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
    cases.sort();
    cases
}

fn read(case: &Path) -> Result<Product, catalog::finding::Findings> {
    let text = fs::read_to_string(case.join("catalog.toml")).unwrap();
    catalog::read("catalog.toml", &text, &PROGRAMS.map(str::to_owned), &[], &catalog::Given::new())
}

/// `error: catalog.toml:LINE: where: what: what to do`, in lower case, without a final period.
fn is_message(line: &str) -> bool {
    let rest = line.strip_prefix("error: catalog.toml:").and_then(|rest| rest.split_once(": "));
    rest.is_some_and(|(number, text)| {
        number.parse::<usize>().is_ok() && text.contains(": ") && !text.ends_with('.')
    })
}

/// Returns the differing lines in the format of `diff -U0`. The texts are short, so a simple algorithm is
/// enough.
pub(crate) fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut shown) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            shown += &format!(" {}\n", old[i]);
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            shown += &format!("-{}\n", old[i]);
            i += 1;
        } else {
            shown += &format!("+{}\n", new[j]);
            j += 1;
        }
    }
    shown
}
