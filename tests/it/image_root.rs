//! `cargo xtask image`, from locked packages to an image: as a regular user, reproducibly, and the errors for
//! missing or invalid input.

mod archive;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;
use support::account::Account;
use support::command::{both, dist, ok, program, root, run, sh};
use support::scratch::{Scratch, scratch};
use testbed::host;

const BOARD: &str = "pi4";

/// Requirements of an image build other than cargo.
const TOOLS: [(&str, &str); 9] = [
    ("curl", "curl"),
    ("gpgv", "gpgv"),
    ("gpg", "gpg"),
    ("newuidmap", "uidmap"),
    ("newgidmap", "uidmap"),
    ("setpriv", "util-linux"),
    ("keyctl", "keyutils"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
];

/// Copies the checkout's files that a build needs.
pub(crate) fn copy_of_checkout(to: &Path) {
    let list = "git ls-files --cached --others --exclude-standard -z image catalog programs/*/src/main.rs programs/*/*.1 programs/*/completions repository.toml";
    sh(
        root(),
        &format!("{list} | tar --create --null --files-from=- | tar --extract --directory={}", to.display()),
    );
}

fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    base.unwrap_or_else(|| std::env::home_dir().unwrap().join(".cache")).join("rovi-services/image")
}

/// Arguments for an image without compression.
fn words(product: &str, out: &Path) -> Vec<String> {
    let dist = dist();
    let mut words: Vec<String> =
        ["image", product, "--board", BOARD, "--format", "img", "--out"].map(str::to_owned).into();
    words.push(out.display().to_string());
    for package in ["rovi-services_", "rovi-first-boot_"] {
        words.extend(["--deb".to_owned(), dist.package(package, "arm64.deb").display().to_string()]);
    }
    words
}

#[test]
fn an_ordinary_user_makes_the_same_image_as_root_does() {
    host::need(&TOOLS).unwrap();
    let account = Account::new("image");
    let checkout = account.home.join("checkout");
    let files = account.home.join(".cache/rovi-services/image/files");
    fs::create_dir_all(&checkout).unwrap();
    fs::create_dir_all(&files).unwrap();
    copy_of_checkout(&checkout);
    fs::copy(program(), account.home.join("xtask")).unwrap();
    // Downloads of an earlier run are reused; the root is rebuilt.
    fs::create_dir_all(cache().join("files")).unwrap();
    sh(
        &cache().join("files"),
        &format!("find . -type f -exec cp --target-directory={} {{}} +", files.display()),
    );
    let mut theirs = words("rovi", &account.home.join("out"));
    for word in &mut theirs {
        if word.ends_with(".deb") {
            let name = Path::new(word.as_str()).file_name().unwrap();
            fs::copy(&*word, account.home.join(name)).unwrap();
            *word = account.home.join(name).display().to_string();
        }
    }
    sh(
        Path::new("/"),
        &format!("chown --recursive {0}: {1}; chmod 755 {1}", account.name, account.home.display()),
    );
    let mounts = || fs::read_to_string("/proc/self/mounts").unwrap();
    let before = mounts();
    let command = |update: &[&str]| {
        let mut command = account.command(&account.home.join("xtask"));
        command.args(&theirs).args(update).env("CARGO_MANIFEST_DIR", &checkout).env("LC_ALL", "C.UTF-8");
        command
    };
    // First it is interrupted while packages are fetched, unpacked or configured; the next run is not
    // affected.
    for seconds in [2, 9] {
        let mut killed = command(&[]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_secs(seconds));
        killed.kill().unwrap();
        killed.wait().unwrap();
        let own = || sh(&account.home, &format!("pgrep --uid {} --list-name || true", account.name));
        let begun = Instant::now();
        while !own().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(10), "still at work: {}", own());
            thread::sleep(Duration::from_millis(50));
        }
        let outputs =
            sh(&account.home, "ls out/* .cache/rovi-services/image/roots/*.tar 2>/dev/null || true");
        assert_eq!(outputs, "", "a partial output has its final name");
    }
    let make = |update: &[&str]| run(&mut command(update));
    let mut output = make(&[]);
    if both(&output).contains("again with --update") {
        // A mirror keeps only the newest packages. If the locked ones are gone, use today's.
        output = make(&["--update"]);
    }
    assert!(output.status.success(), "{}", both(&output));
    assert_eq!(mounts(), before, "something is still mounted");
    // All files belong to this user; root is not needed to remove any of them.
    let foreign = sh(&account.home, &format!("find . ! -user {} -print", account.name));
    assert_eq!(foreign, "");
    let left = sh(&files.join("../roots"), "ls -A | grep -v -E '^[^.]+[.](tar|json|lock)$' || true");
    assert_eq!(left, "", "left over");

    // Root and all other tests use this root from now on.
    let own = cache().join("roots");
    fs::create_dir_all(&own).unwrap();
    let roots = files.join("../roots");
    for kind in ["json", "tar"] {
        let name = sh(&roots, &format!("ls *.{kind}"));
        let (name, place) = (roots.join(name.trim()), own.join(name.trim()));
        if place.exists() && kind == "tar" {
            assert_eq!(sums(&[&name, &place]).len(), 1, "root and a regular user built different roots");
        } else if !place.exists() {
            fs::copy(name, &place).unwrap();
        }
    }
    sh(&cache().join("files"), &format!("cp --no-clobber --target-directory=. {}/*", files.display()));

    let out = scratch("image-as-root");
    let mut command = Command::new(program());
    command
        .args(words("rovi", &out))
        .arg("--locks")
        .arg(checkout.join("image"))
        .env("CARGO_MANIFEST_DIR", root())
        .env("TZ", "Asia/Tokyo")
        .env_remove("LC_ALL");
    let begun = Instant::now();
    let printed = ok(&mut command);
    let seconds = begun.elapsed().as_secs_f64() / host::busy();
    let image = |folder: &Path| folder.join(format!("rovi-{BOARD}-0.1.0.img"));
    let theirs = account.home.join("out");
    assert_eq!(sums(&[&image(&theirs), &image(&out)]).len(), 1, "the images differ");
    looks_right(&out, &printed);
    killed_while_it_is_written(command, &out, &image(&out));
    assert!(seconds < 12.0, "{seconds} s with everything in the cache, unoptimized");
}

/// Interrupted at any time, it leaves the previous image or none under the image's name, and the next run
/// rebuilds it.
fn killed_while_it_is_written(mut command: Command, out: &Scratch, image: &Path) {
    let whole = sums(&[image]);
    fs::remove_file(image).unwrap();
    for tenths in [3, 8, 13, 19] {
        let mut killed = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(tenths * 100));
        let _ = killed.kill();
        killed.wait().unwrap();
        assert!(
            !image.exists() || sums(&[image]) == whole,
            "half an image after {tenths} tenths of a second"
        );
    }
    ok(&mut command);
    assert_eq!(sums(&[image]), whole);
    fs::remove_file(image).unwrap();
    let mut full = in_two_megabytes(out, &words("rovi", out));
    full.args(command.get_args().skip_while(|word| *word != "--locks"));
    let stderr = failure(out, &mut full);
    assert!(stderr.starts_with("error: cannot write `DIR/") && stderr.lines().count() == 1, "{stderr}");
    ok(&mut command);
    assert_eq!(sh(out, "ls -A | grep -E '[.]new$' || true"), "", "left over");
}

/// Checks the files beside an image and their contents.
fn looks_right(out: &Scratch, printed: &str) {
    let name = format!("rovi-{BOARD}-0.1.0");
    let mut expected: Vec<String> = ["img", "img.bmap", "cdx.json", "sha256", "report.json"]
        .map(|end| out.join(format!("{name}.{end}")).display().to_string())
        .into();
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
    expected.sort();
    let there = sh(out, "ls -A");
    assert_eq!(there.lines().count(), expected.len(), "nothing else is left there: {there}");
    sh(out, "sha256sum --strict --quiet --check *.sha256");
    let json = |end: &str| -> Value {
        serde_json::from_slice(&fs::read(out.join(format!("{name}.{end}"))).unwrap()).unwrap()
    };
    let report = json("report.json");
    assert_eq!(report["base_cached"], true);
    assert!(report["packages"].as_array().unwrap().len() > 150, "{report}");
    let modules: Vec<&str> =
        report["modules"].as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect();
    // What the card slot depends on, from the device tree: a hand-written list lacked the regulator.
    for module in ["sdhci_iproc", "fixed", "gpio_regulator"] {
        assert!(modules.iter().any(|m| m.replace('-', "_") == module), "{module} is not in {modules:?}");
    }
    let components = json("cdx.json")["components"].as_array().unwrap().len();
    assert_eq!(components, report["packages"].as_array().unwrap().len() + 2, "every package and our two");
}

fn sums(paths: &[&Path]) -> std::collections::BTreeSet<String> {
    let sum = |path: &&Path| ok(Command::new("sha256sum").arg(path)).split(' ').next().unwrap().to_owned();
    paths.iter().map(sum).collect()
}

/// Returns the program's error output, with the test's folder replaced.
fn failure(dir: &Path, command: &mut Command) -> String {
    let output = run(command);
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
    String::from_utf8(output.stderr).unwrap().replace(dir.to_str().unwrap(), "DIR")
}

#[test]
fn what_cannot_be_made_is_said_in_one_line() {
    host::need(&TOOLS).unwrap();
    let dir = scratch("image-errors");
    let deb = dist().package("rovi-services_", "amd64.deb").display().to_string();
    fs::write(dir.join("custom.toml"), "config_version = 1\n[system]\nhostnam = \"a\"\n").unwrap();
    fs::write(dir.join("none.deb"), "").unwrap();
    let mut errors = String::new();
    for args in [
        ["--board", "pi9", "", ""],
        ["--board", "pi4", "--suite", "sid"],
        ["--board", "pi4", "--format", "iso"],
        ["--board", "pi4", "--size", "much"],
        ["--board", "pi4", "--role", "nurse"],
        ["--board", "pi4", "--config", "DIR/custom.toml"],
        ["--board", "pi4", "--deb", "DIR/none.deb"],
        ["--board", "pi4", "--deb", "DIR/absent.deb"],
        ["--board", "pi4", "--deb", &deb],
    ] {
        let mut command = Command::new(program());
        let here = dir.to_str().unwrap();
        let args = args.iter().filter(|word| !word.is_empty()).map(|word| word.replace("DIR", here));
        command.arg("image").arg("rovi").args(args).arg("--out").arg(dir.join("out"));
        errors.push_str(&failure(&dir, command.env("CARGO_MANIFEST_DIR", root())).replace(&deb, "OTHER.deb"));
    }
    assert_eq!(
        errors,
        "error: unknown board `pi9`: expected one of generic-amd64, generic-arm64, pi3, pi4, pi5
error: unknown suite `sid`: expected one of trixie
error: unknown image format `iso`: expected one of img, img.xz, img.zst
error: invalid --size `much`: expected a number with K, M or G
error: unknown role `nurse`: expected one of robot, pc
error: `DIR/custom.toml`: line 3: [system] hostnam: unknown key: expected one of hostname, read_only
error: `DIR/none.deb`: not a .deb: no ar header
error: cannot read `DIR/absent.deb`: No such file or directory (os error 2)
error: `OTHER.deb`: built for amd64, but the board is arm64: use the arm64 package
"
    );
    assert!(sh(&dir, "ls -A out").is_empty(), "nothing half-made is left");
}

/// Returns the program in its own mount namespace with a small file system.
fn in_two_megabytes(folder: &Path, words: &[String]) -> Command {
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=2m tmpfs \"$1\" && shift && exec \"$@\"";
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
    command.arg(folder).arg(program()).args(words).env("CARGO_MANIFEST_DIR", root());
    command
}

#[test]
fn a_disk_without_room_for_the_packages_is_said_in_one_line() {
    host::need(&TOOLS).unwrap();
    let dir = scratch("image-full");
    let files = dir.join("cache/rovi-services/image/files");
    fs::create_dir_all(&files).unwrap();
    let mut command = in_two_megabytes(&files, &words("rovi", &dir.join("out")));
    let stderr = failure(&dir, command.env("XDG_CACHE_HOME", dir.join("cache")));
    assert!(
        stderr.starts_with("error: `DIR/cache/rovi-services/image/files`: ") && stderr.lines().count() == 1,
        "{stderr}"
    );
    assert!(stderr.contains(" MB of downloads, only for 0.0 MB: free up space on that disk"), "{stderr}");
    assert_eq!(sh(&dir, "find . -name '*.img' -o -name '*.tar'"), "");
}
