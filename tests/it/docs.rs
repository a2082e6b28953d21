//! Consistency of the repository's own texts.

mod commands;
mod site;

use std::fs;

use support::command::{ok, root, xtask};
use support::pages::Page;
use support::scratch::scratch;

/// Returns the files in a folder with their text.
pub(crate) fn texts(folder: &str) -> Vec<(String, String)> {
    let list =
        support::command::sh(root(), &format!("git ls-files --cached --others --exclude-standard {folder}"));
    list.lines()
        .filter_map(|path| Some((path.to_owned(), fs::read_to_string(root().join(path)).ok()?)))
        .collect()
}

#[test]
fn the_toolchain_knows_no_products_name() {
    let products: Vec<String> = texts("catalog")
        .into_iter()
        .filter_map(|(path, _)| Some(path.strip_prefix("catalog/")?.strip_suffix(".toml")?.to_owned()))
        .collect();
    assert!(!products.is_empty());
    let files = texts("xtask crates/*/src units polkit env packaging programs/base/src/table.rs");
    // The stand-in for ROS 2 contains paths of its product.
    for (path, text) in files.iter().filter(|(path, _)| path != "crates/testbed/src/ros.rs") {
        for (number, line) in text.lines().enumerate() {
            // The repository's name, its variables and names of programs are allowed.
            let line = line
                .replace("rovi-services", "")
                .replace("ROVI_", "")
                .replace("rovi-machine", "")
                .replace("programs/rovi", "")
                .replace("bin/rovi", "");
            for product in &products {
                let word =
                    line.split(|c: char| !c.is_alphanumeric()).any(|w| w.eq_ignore_ascii_case(product));
                assert!(!word, "{path}:{}: {line}", number + 1);
            }
        }
    }
}

/// Random cases would fail for people who changed nothing, and not be reproducible.
#[test]
fn every_property_test_draws_the_same_cases_in_every_run() {
    let files = texts("programs crates tests xtask");
    let draws = files.iter().filter(|(path, text)| path.ends_with(".rs") && text.contains("proptest! {\n"));
    let counts = draws.map(|(path, text)| {
        let count = |what: &str| text.matches(what).count();
        (
            path,
            count("proptest! {\n"),
            count("#![proptest_config(draw_cases(") + count("#![proptest_config(support::draw_cases("),
        )
    });
    let counts: Vec<_> = counts.collect();
    assert!(counts.len() >= 5, "{counts:?}");
    for (path, tests, fixed) in counts {
        assert_eq!(
            fixed, tests,
            "{path}: give each of them `#![proptest_config(support::draw_cases(NUMBER))]`"
        );
    }
}

#[test]
fn the_catalog_in_the_readme_is_right() {
    let dir = scratch("readme");
    fs::write(dir.join("weather.toml"), catalog_of_the_readme()).unwrap();
    ok(xtask(&["check", "--catalog"]).arg(dir.join("weather.toml")));
}

/// Returns the catalog in README.md.
pub(crate) fn catalog_of_the_readme() -> String {
    let readme = Page::read("README.md");
    let blocks = readme.blocks().into_iter().filter(|block| block.fence == "toml weather.toml");
    let [catalog] = blocks.map(|block| block.text).collect::<Vec<_>>().try_into().unwrap();
    catalog
}

#[test]
fn the_page_of_commands_names_every_verb_and_every_override() {
    let page = Page::read("docs/commands.md").text;
    let help = ok(&mut xtask(&["--help"]));
    let verbs = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|l| l.starts_with("  "));
    for verb in verbs.filter_map(|l| l.split_whitespace().next()).filter(|v| *v != "help") {
        assert!(page.contains(&format!("| `cargo xtask {verb}")), "{verb}");
    }
    let files = texts("tests/golden");
    for (path, text) in files.iter().filter(|(p, _)| p.ends_with("lintian-overrides")) {
        let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
        // Overrides for the wheels of an environment are counted apart, so that they hide no fault of our own files.
        let (wheels, own): (Vec<&str>, Vec<&str>) =
            lines.iter().partition(|line| line.contains("/venv/") || line.contains("-in-copyright"));
        assert!(own.len() <= 3 && wheels.len() <= 15, "{path}: more overrides than were counted");
        for tag in lines.iter().map(|line| line.split(' ').nth(1).unwrap()) {
            let mut rows = page.lines().filter(|line| line.starts_with("| lintian |"));
            assert!(rows.any(|row| row.contains(&format!("`{tag}`"))), "{path}: {tag}");
        }
    }
    for (path, text) in files.iter().filter(|(p, _)| p.ends_with("rpmlint.toml")) {
        let filters: Vec<&str> = text.lines().filter(|l| l.starts_with("    '")).collect();
        let own = filters.iter().filter(|line| !line.contains("/venv/") && !line.contains("waste")).count();
        assert!(own <= 3 && filters.len() - own <= 3, "{path}: more filters than were counted");
        for tag in filters.iter().flat_map(|f| {
            // The text after a space limits the tag to files.
            let tags = f.trim().trim_start_matches(['\'', '(']).split(' ').next().unwrap_or_default();
            tags.split(['|', ')']).filter(|w| !w.is_empty())
        }) {
            assert!(page.contains(&format!("`{tag}`")), "{path}: {tag}");
        }
    }
}
