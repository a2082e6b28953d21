//! Every command in a page runs in a test: here, on a robot (`tests/machine/robot/readme.rs`), or in the test
//! that `elsewhere.txt` names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::command::{ok, root, sh};
use support::pages::{Page, pages};

/// Runs `cargo xtask` in any folder, and no other cargo commands.
const CARGO: &str = r#"cargo() {
    test "$1" = xtask || { echo "cargo $1 is not run here" >&2; return 1; }
    shift
    "$REAL_CARGO" run --quiet --manifest-path "$CHECKOUT/Cargo.toml" --package xtask -- "$@"
}
"#;

/// Commands that run in another test, with the name of that test.
fn elsewhere() -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    let lines = include_str!("elsewhere.txt").lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    let mut commands: Vec<&str> = Vec::new();
    for line in lines {
        match line.strip_prefix("    ") {
            Some(test) => {
                for command in commands.drain(..) {
                    let twice = table.insert(command.to_owned(), test.to_owned());
                    assert!(twice.is_none(), "elsewhere.txt: `{command}` is there twice");
                }
            }
            None => commands.push(line),
        }
    }
    assert!(commands.is_empty(), "elsewhere.txt: no test for {commands:?}");
    table
}

/// Returns the commands of a shell block, without comments.
fn commands(text: &str) -> Vec<String> {
    let text = text.replace("\\\n   ", "");
    let lines = text.lines().map(|line| line.split("  #").next().unwrap().trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn every_command_of_a_page_runs_here_or_in_the_test_that_is_named() {
    let elsewhere = elsewhere();
    for test in elsewhere.values() {
        let (file, function) = test.split_once("::").unwrap_or_else(|| panic!("elsewhere.txt: {test}"));
        let text =
            fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("elsewhere.txt: {file}: {e}"));
        assert!(text.contains(&format!("fn {function}(")), "elsewhere.txt: there is no test {test}");
    }
    let mut repositories = 0;
    let mut unused: BTreeSet<&String> = elsewhere.keys().collect();
    for page in pages() {
        let place = Place::new(&page);
        for block in page.blocks() {
            let words: Vec<&str> = block.fence.splitn(3, ' ').collect();
            match words[..] {
                ["sh"] => {
                    for command in commands(&block.text) {
                        if let Some((known, _)) = elsewhere.get_key_value(&command) {
                            unused.remove(known);
                        } else {
                            let here = ["cargo xtask ", "mkdir ../"];
                            assert!(
                                here.iter().any(|start| command.starts_with(start)),
                                "{}:{}: `{command}` does not run here: name the test that runs it in elsewhere.txt",
                                page.path,
                                block.line
                            );
                            place.run(&command, &format!("{}:{}", page.path, block.line));
                        }
                    }
                }
                ["toml" | "python", path] => place.save(path, None, &block.text),
                ["toml", path, before] => place.save(path, Some(before), &block.text),
                // Commands on a machine: the next test checks the first kind, `readme.rs` those of a robot, and `page.rs`
                // those of a machine with a payload.
                ["console"] | ["console", "robot" | "machine"] | ["toml" | "ini"] => {}
                _ => panic!("{}:{}: `{}` is no kind of block", page.path, block.line, block.fence),
            }
        }
        if let Ok(index) = fs::read_to_string(place.0.join("rover/repo/index.html")) {
            let lines = index.split("<pre>\n").nth(1).unwrap().split("</pre>").next().unwrap();
            assert!(page.text.contains(&format!("```sh\n{lines}```\n")), "{}: {lines}", page.path);
            let switch = sh(
                &place.0,
                "dpkg-deb --fsys-tarfile rover/repo/apt/pool/stable/r/rover-repository/*.deb |
                tar -xO ./usr/share/rover-repository/unattended-upgrades.conf | sed -n 's,^//   ,sudo ,p'",
            );
            assert!(switch.ends_with("52rover\n") && page.text.contains(&switch), "{}: {switch}", page.path);
            repositories += 1;
        }
    }
    // The tutorial's commands for a machine are those on the repository's page.
    assert_eq!(repositories, 1);
    assert!(unused.is_empty(), "elsewhere.txt: no page shows {unused:#?}");
}

#[test]
fn every_command_of_a_page_prints_what_the_page_shows() {
    let mut count = 0;
    for page in pages() {
        for block in page.blocks().iter().filter(|block| block.fence == "console") {
            for step in block.text.split("$ ").skip(1) {
                let (command, expected) = step.split_once('\n').unwrap();
                let cargo = command.replacen("cargo ", &format!("{} ", env!("CARGO")), 1);
                let printed = sh(root(), &format!("{cargo} 2>/dev/null"));
                assert_eq!(printed, expected, "{}: $ {command}", page.path);
                count += 1;
            }
        }
    }
    assert!(count >= 2);
}

/// A folder like a reader's: a checkout, and a folder beside it for other files. It is not in `target`,
/// because keys must not be created in a checkout.
struct Place(PathBuf);

impl Place {
    fn new(page: &Page) -> Place {
        let name = page.path.replace(['/', '.'], "-");
        let path = std::env::temp_dir().join(format!("pages-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("checkout")).unwrap();
        sh(
            root(),
            &format!("cp -r examples/greenhouse examples/greenhouse.toml {}/checkout", path.display()),
        );
        // The folders of the teams whose programs two pages bring.
        sh(
            root(),
            &format!(
                "mkdir {0}/lab {0}/river; cp tests/machine/homelab/*_service.py {0}/lab; cp catalog/home-lab/pylock.toml {0}/river",
                path.display()
            ),
        );
        Place(path)
    }

    fn checkout(&self) -> PathBuf {
        self.0.join("checkout")
    }

    /// Adds text to a file as a page describes: at its end, or before the first line that is `before`.
    fn save(&self, path: &str, before: Option<&str>, text: &str) {
        let path = self.checkout().join(path);
        assert!(path.parent().is_some_and(Path::is_dir), "`{}`: nobody has made the folder", path.display());
        let kept = fs::read_to_string(&path).unwrap_or_default();
        let at = before.map_or(kept.len(), |line| kept.find(&format!("{line}\n")).unwrap());
        let gap = if at > 0 { "\n" } else { "" };
        let (start, rest) = kept.split_at(at);
        fs::write(&path, format!("{start}{gap}{text}{rest}")).unwrap();
    }

    fn run(&self, command: &str, page: &str) {
        eprintln!("{page}: {command}");
        ok(Command::new("sh")
            .current_dir(self.checkout())
            .args(["-euc", &format!("{CARGO}{command}")])
            .env_remove("LD_LIBRARY_PATH")
            .env("REAL_CARGO", env!("CARGO"))
            .env("CHECKOUT", root()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
