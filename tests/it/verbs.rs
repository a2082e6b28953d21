//! The command line of `cargo xtask`: its help and its error messages.

use std::fs;

use support::command::{ok, run, xtask};
use support::scratch::scratch;

/// Returns exit status and standard error, with the test's directory replaced.
fn failure(args: &[&str], dir: &std::path::Path) -> (Option<i32>, String) {
    let output = run(&mut xtask(args));
    (output.status.code(), String::from_utf8(output.stderr).unwrap().replace(dir.to_str().unwrap(), "DIR"))
}

#[test]
fn help_fits_a_terminal_and_names_every_verb() {
    let help = ok(&mut xtask(&["--help"]));
    for verb in ["check", "render", "dist", "repo", "image", "key", "schema", "docs", "try", "bench", "test"]
    {
        assert!(help.contains(&format!("  {verb} ")), "{verb} is missing:\n{help}");
        let page = ok(&mut xtask(&[verb, "--help"]));
        for line in help.lines().chain(page.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn a_file_that_is_no_catalog_gets_one_clear_line() {
    let dir = scratch("no-catalog");
    let path = |name: &str| dir.join(name).display().to_string();
    fs::write(path("latin1.toml"), b"# caf\xe9\n").unwrap();
    fs::write(path("huge.toml"), vec![b'#'; 2 << 20]).unwrap();
    fs::write(path("empty.toml"), "").unwrap();
    let missing = failure(&["check", "--catalog", &path("none.toml")], &dir);
    assert_eq!(
        missing,
        (Some(1), "error: cannot read `DIR/none.toml`: No such file or directory (os error 2)\n".to_owned())
    );
    let folder = failure(&["check", "--catalog", &path("")], &dir);
    assert_eq!(folder, (Some(1), "error: `DIR/`: is a directory: name the file in it\n".to_owned()));
    let latin = failure(&["check", "--catalog", &path("latin1.toml")], &dir);
    assert_eq!(
        latin,
        (Some(1), "error: `DIR/latin1.toml`: invalid UTF-8 at byte 5: save it as UTF-8\n".to_owned())
    );
    let huge = failure(&["check", "--catalog", &path("huge.toml")], &dir);
    assert_eq!(huge, (Some(1), "error: `DIR/huge.toml`: larger than 1048576 bytes, the limit for a catalog: name the right file\n".to_owned()));
    let empty = failure(&["check", "--catalog", &path("empty.toml")], &dir);
    assert_eq!(
        empty,
        (
            Some(78),
            "error: DIR/empty.toml:1: product: is missing: table that describes the product and its package\n"
                .to_owned()
        )
    );
}

#[test]
fn an_unknown_product_or_target_is_a_usage_error_that_lists_the_known_ones() {
    let dir = scratch("unknown");
    let (status, said) = failure(&["render", "nothing-here"], &dir);
    assert_eq!(status, Some(1));
    assert!(
        said.starts_with("error: unknown product `nothing-here`: expected one of ") && said.contains("rovi"),
        "{said}"
    );
    let (status, said) = failure(&["dist", "--target", "sparc-sun-solaris"], &dir);
    assert_eq!(status, Some(2));
    assert!(said.contains("expected one of x86_64-unknown-linux-musl, aarch64-unknown-linux-musl"), "{said}");
}

#[test]
fn render_writes_a_tree_again_and_again_but_never_over_somebodys_work() {
    let dir = scratch("render");
    let out = dir.join("out").display().to_string();
    for _ in 0..2 {
        let printed = ok(&mut xtask(&["render", "rovi", "--out", &out]));
        assert_eq!(printed, format!("{out}/rovi\n"));
    }
    let manifest = fs::read_to_string(format!("{out}/rovi/MANIFEST")).unwrap();
    assert!(manifest.contains("0644 root/usr/lib/systemd/system/rovi-gateway.service\n"), "{manifest}");
    fs::create_dir_all(dir.join("mine/rovi")).unwrap();
    fs::write(dir.join("mine/rovi/thesis.txt"), "years of work").unwrap();
    let mine = dir.join("mine").display().to_string();
    let (status, said) = failure(&["render", "rovi", "--out", &mine], &dir);
    assert_eq!(
        (status, said.as_str()),
        (Some(1), "error: `DIR/mine/rovi`: contains other files: name an empty or new directory\n")
    );
    assert_eq!(fs::read_to_string(dir.join("mine/rovi/thesis.txt")).unwrap(), "years of work");
}

#[test]
fn two_products_cannot_ship_one_path() {
    let dir = scratch("collision");
    let catalog = fs::read_to_string(support::command::root().join("catalog/rovi.toml")).unwrap();
    let path = |name: &str| dir.join(name).display().to_string();
    fs::write(path("one.toml"), &catalog).unwrap();
    fs::write(
        path("two.toml"),
        catalog
            .replace("name = \"rovi\"\n", "name = \"robot\"\n")
            .replace("package = \"rovi-services\"", "package = \"robot-services\""),
    )
    .unwrap();
    let (status, said) =
        failure(&["check", "--catalog", &path("one.toml"), "--catalog", &path("two.toml")], &dir);
    assert_eq!(status, Some(78));
    assert_eq!(
        said.lines().next().unwrap(),
        "error: DIR/two.toml:1: `/usr/bin/rovi` is also shipped by DIR/one.toml: remove the program from product.commands in one of them"
    );
}

#[test]
fn a_schema_that_is_not_current_is_found() {
    for (file, text) in xtask::verb::schema::FILES {
        let kept = fs::read_to_string(support::command::root().join(file)).unwrap();
        assert!(text() == kept, "{file}: run `cargo xtask schema`");
    }
}

#[test]
fn what_systemd_does_not_understand_or_finds_exposed_fails_the_check() {
    let dir = scratch("verdicts");
    let catalog = crate::docs::catalog_of_the_readme();
    let check = |name: &str, directive: &str| {
        let path = dir.join(name).display().to_string();
        fs::write(&path, format!("{catalog}directives.Service = {{ {directive} }}\n")).unwrap();
        failure(&["check", "--catalog", &path], &dir)
    };
    let (status, said) = check("bad.toml", "Nice = \"very\"");
    assert_eq!(status, Some(1));
    assert!(said.contains("weather-reader.service:") && said.contains("Failed to parse nice"), "{said}");
    let bare = "NoNewPrivileges = false, ProtectSystem = false, ProtectHome = false, PrivateDevices = false, \
                SystemCallFilter = \"\", RestrictNamespaces = false, RestrictAddressFamilies = \"\"";
    let (status, said) = check("bare.toml", bare);
    assert_eq!(status, Some(1));
    assert!(said.contains("weather-reader.service: exposure is above 25 tenths"), "{said}");
}
