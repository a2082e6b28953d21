//! Catalogs for beginners in `examples/`: short, valid, and consistent with the guide.

use std::fs;

use support::command::{both, ok, root, run, xtask};
use support::scratch::scratch;

#[test]
fn every_example_is_short_and_becomes_packages_that_nobody_complains_of() {
    testbed::host::need(&[("lintian", "lintian")]).unwrap();
    let folder = root().join("examples");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort();
    assert!(!files.is_empty());
    let guide = fs::read_to_string(root().join("docs/catalog.md")).unwrap();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (name, lines) = (file.file_name().unwrap().to_str().unwrap(), text.lines().count());
        assert!(lines <= 40, "{name} has {lines} lines");
        assert!(
            guide.contains(&format!("(../examples/{name})")) && guide.contains(&format!("in {lines} lines")),
            "{name}"
        );
        // Units, scripts and pages pass the checkers, and no unit's exposure is above 2.5.
        let catalog = file.to_str().unwrap();
        ok(&mut xtask(&["check", "--catalog", catalog]));
        let dir = scratch("example");
        let printed = ok(&mut xtask(&[
            "dist",
            "--format",
            "deb",
            "--catalog",
            catalog,
            "--out",
            dir.to_str().unwrap(),
        ]));
        for deb in printed.lines() {
            let output = run(std::process::Command::new("lintian").args(crate::lint::options()).arg(deb));
            assert_eq!(both(&output), "", "{deb}");
            assert!(output.status.success(), "{deb}");
        }
    }
    // The guide must fit on one page of about seventy lines.
    assert!(guide.lines().count() <= 70, "the guide has {} lines", guide.lines().count());
}

/// The commands in the guide work.
#[test]
fn the_guide_says_what_works() {
    let guide = fs::read_to_string(root().join("docs/catalog.md")).unwrap();
    let dir = scratch("guide");
    fs::copy(root().join("examples/greenhouse.toml"), dir.join("greenhouse.toml")).unwrap();
    let line = guide.lines().find(|line| line.starts_with("cargo xtask render ")).unwrap();
    let words: Vec<&str> = line.split(' ').skip(2).collect();
    let here = |word: &str| match word {
        "greenhouse.toml" | "here" => dir.join(word).display().to_string(),
        word => word.to_owned(),
    };
    let words: Vec<String> = words.into_iter().map(here).collect();
    ok(&mut xtask(&words.iter().map(String::as_str).collect::<Vec<_>>()));
    let unit = dir.join("here/greenhouse/root/usr/lib/systemd/system/greenhouse-page.service");
    assert!(fs::read_to_string(unit).unwrap().contains("\nMemoryMax=1G\n"));
}
