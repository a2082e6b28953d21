//! The pages as a whole: links, length, required lists, and the generated site.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use support::command::{ok, root, run, xtask};
use support::pages::{Page, pages};
use support::scratch::scratch;
use workspace::Workspace;
use xtask::docs::{link, read_pages};

/// Maximum length of README.md in words.
const README: usize = 500;

/// Maximum length of ARCHITECTURE.md in words.
const ARCHITECTURE: usize = 1_800;

/// Maximum length of a line in characters.
const WIDTH: usize = 100;

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let workspace = Workspace::find();
    link::check(&workspace).unwrap_or_else(|faults| panic!("{faults}"));
    let pages = read_pages(&workspace).unwrap();
    let count: usize = pages.iter().map(|page| link::read_links(&page.text).len()).sum();
    assert!(count > 80, "{count} links: is something not read?");
}

#[test]
fn pages_are_short_and_no_line_is_wider_than_a_window() {
    for (path, most) in [("README.md", README), ("ARCHITECTURE.md", ARCHITECTURE)] {
        let words = Page::read(path).text.split_whitespace().count();
        assert!(words <= most, "{path} has {words} words: at most {most}: move some to a page in docs/");
    }
    for page in pages() {
        let mut is_code = false;
        for (index, line) in page.text.lines().enumerate() {
            is_code ^= line.starts_with("```");
            let is_table = line.starts_with('|');
            // In a list of pages, a link takes a whole line.
            let is_link = line.trim_start().starts_with("- [") && line.ends_with(".md)");
            let width = line.chars().count();
            let may_be_wide = is_code || is_table || is_link;
            assert!(may_be_wide || width <= WIDTH, "{}:{}: {width} columns", page.path, index + 1);
        }
    }
}

#[test]
fn every_requirement_in_a_tests_name_is_explained() {
    let page = Page::read("docs/requirements.md").text;
    let explained: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    let mut count = 0;
    let files = super::texts("tests/machine");
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let names = text.lines().filter_map(|line| line.strip_prefix("fn ")?.split('(').next());
        for name in names {
            for word in name.split('_').map_while(requirement) {
                assert!(explained.contains(word.as_str()), "{path}: {name}: {word}");
                count += 1;
            }
        }
    }
    assert!(count > 80, "{count}");
}

/// Returns `R3` for `r03`.
fn requirement(word: &str) -> Option<String> {
    let number: u8 = word.get(1..)?.parse().ok()?;
    let letter = word.chars().next().filter(|c| "rmhklb".contains(*c))?;
    Some(format!("{}{number}", letter.to_ascii_uppercase()))
}

#[test]
fn every_exit_status_of_a_manual_page_is_in_troubleshooting() {
    let page = Page::read("docs/troubleshooting.md").text;
    for program in ["first-boot", "notify-helper", "rovi", "run_stack"] {
        let manual = Page::read(&format!("programs/{program}/{program}.1")).text;
        let statuses = manual.split(".Sh EXIT STATUS\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
        let section = page.split(&format!("### {program}\n")).nth(1).unwrap().split("\n#").next().unwrap();
        let codes: Vec<&str> = statuses
            .lines()
            .filter_map(|line| line.strip_prefix(".It "))
            .filter(|word| word.parse::<u8>().is_ok())
            .collect();
        assert!(codes.contains(&"1") && codes.contains(&"2"), "{program}: {codes:?}");
        for code in codes {
            assert!(section.contains(&format!("| {code} | ")), "{program}: {code}");
        }
    }
    let help = ok(&mut xtask(&["--help"]));
    let line = help.lines().find_map(|line| line.strip_prefix("Exit codes: ")).unwrap();
    let section = page.split("### cargo xtask\n").nth(1).unwrap().split("\n#").next().unwrap();
    for code in line.split(", ").map(|part| part.split(' ').next().unwrap()) {
        assert!(section.contains(&format!("| {code} | ")), "cargo xtask: {code}");
    }
}

#[test]
fn the_site_builds_and_its_links_work() {
    let dir = scratch("site");
    let out = dir.join("site");
    for _ in 0..2 {
        let printed = ok(xtask(&["docs", "--out"]).arg(&out));
        assert_eq!(printed, format!("{}/index.html\n", out.display()));
    }
    let mut html = BTreeMap::new();
    for page in pages().iter().skip(1).filter(|page| !page.path.ends_with("SUMMARY.md")) {
        let name = page.path.strip_prefix("docs/").unwrap().replace("README.md", "index.md");
        let name = name.replace(".md", ".html");
        let text = fs::read_to_string(out.join(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        html.insert(name, text);
    }
    // Pages in the repository's root are part of the site; other files link to the repository.
    assert!(
        html["security.html"].contains("Report a vulnerability") && !html["security.html"].contains("{{")
    );
    assert!(html["index.html"].contains("/blob/main/ARCHITECTURE.md"));
    for (name, text) in &html {
        let main = text.split("<main>").nth(1).unwrap().split("</main>").next().unwrap();
        for target in main.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { name } else { file };
            let other = html.get(file).unwrap_or_else(|| panic!("{name}: {target}: no such page"));
            assert!(
                anchor.is_empty() || other.contains(&format!("id=\"{anchor}\"")),
                "{name}: {target}: no such heading"
            );
        }
    }
    // Existing files are not replaced.
    fs::create_dir(dir.join("mine")).unwrap();
    fs::write(dir.join("mine/thesis.txt"), "years of work").unwrap();
    let output = run(xtask(&["docs", "--out"]).arg(dir.join("mine")));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(dir.join("mine/thesis.txt")).unwrap(), "years of work");
}

#[test]
fn what_is_generated_in_the_pages_is_found_when_it_is_not_current() {
    let page = root().join(xtask::docs::reference::PAGE);
    assert_eq!(fs::read_to_string(&page).unwrap(), xtask::docs::reference::render());
    assert!(Path::new(xtask::docs::reference::PAGE).starts_with(xtask::docs::FOLDER));
    // It contains each field of the schema.
    let text = fs::read_to_string(&page).unwrap();
    let schema: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(root().join("catalog/schema.json")).unwrap()).unwrap();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        for field in definition["properties"].as_object().into_iter().flat_map(|fields| fields.keys()) {
            assert!(text.contains(&format!("\n- `{field}` (")), "{name}.{field}");
        }
    }
}
