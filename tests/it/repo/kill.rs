//! Interrupted publishing: the published files are always consistent, and the next run completes them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use support::command::{ok, sh};
use support::scratch::scratch;
use testbed::host;

use super::{packages, repo};

const KILLS: u32 = 50;
/// After this many interrupted runs, one may finish.
const EVERY: u32 = 5;

#[test]
fn killed_at_fifty_moments_it_leaves_what_a_client_can_read_and_the_next_run_completes_it() {
    host::need(&[("gpgv", "gpgv"), ("gpg", "gpg")]).unwrap();
    let dir = scratch("repo-kill");
    let (given, out) = (dir.join("dist"), dir.join("repo"));
    packages(&given, "wind", &["0.0.1"]);
    ok(&mut repo(&given, &out));
    sh(&dir, "gpg --dearmor <repo/rovi-services.asc >keys.gpg");
    let begin = Instant::now();
    ok(&mut repo(&given, &out));
    let whole = begin.elapsed();
    let mut random = 2_463_534_242_u32;
    let (mut killed, mut round) = (0, 0);
    while killed < KILLS {
        round += 1;
        // Every round publishes, withdraws and phases a version.
        let version = format!("1.{round}.0");
        packages(&given, "wind", &[&version]);
        let mut args = vec!["--phase".to_owned(), format!("wind={version}:{}", round % 99 + 1)];
        let earlier = format!("wind=1.{}.0", round - 1);
        if round % 3 == 0 && published(&out).contains(&earlier) {
            args.extend(["--withdraw".to_owned(), earlier]);
        }
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        let moment = whole.mul_f64(f64::from(random % 1000) / 1000.0);
        killed += u32::from(kill(repo(&given, &out).args(&args), moment));
        consistent(&dir);
        if round % EVERY == 0 {
            ok(repo(&given, &out).args(&args));
            consistent(&dir);
            assert!(published(&out).contains(&format!("wind={version}")), "{version}");
            let left = sh(&out, "find . -name '*.new*'");
            assert!(
                left.lines().all(|path| path.contains("/pool/") || path.contains("/packages/")),
                "{left}"
            );
        }
    }
}

/// Runs a command for a while and kills it; returns whether it was still running.
fn kill(command: &mut Command, after: Duration) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

/// Returns `NAME=VERSION` for every version that apt is offered.
pub(super) fn published(out: &Path) -> Vec<String> {
    // By hash from the release file, because an interrupted run may leave newer indices beside it.
    let suite = out.join("apt/dists/stable");
    let release = fs::read_to_string(suite.join("InRelease")).unwrap();
    let line = release.lines().find(|line| line.ends_with(" main/binary-amd64/Packages")).unwrap();
    let hash = line.split_whitespace().next().unwrap();
    let index = fs::read_to_string(suite.join("main/binary-amd64/by-hash/SHA256").join(hash)).unwrap();
    let field = |paragraph: &str, name: &str| {
        paragraph.lines().find_map(|line| Some(line.strip_prefix(name)?.to_owned())).unwrap_or_default()
    };
    index.split("\n\n").map(|p| format!("{}={}", field(p, "Package: "), field(p, "Version: "))).collect()
}

/// Reads the repository as apt and dnf do: from the top-level file to everything it refers to.
pub(super) fn consistent(dir: &Path) {
    let suite = dir.join("repo/apt/dists/stable");
    sh(dir, "gpgv --quiet --keyring ./keys.gpg repo/apt/dists/stable/InRelease 2>&1");
    let release = fs::read_to_string(suite.join("InRelease")).unwrap();
    let mut packages = 0;
    for line in release.lines().filter(|line| line.starts_with(' ')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (folder, file) = words[2].rsplit_once('/').unwrap();
        let bytes = same(&suite.join(folder).join("by-hash/SHA256").join(words[0]), words[0]);
        assert_eq!(bytes.len().to_string(), words[1]);
        if file == "Packages" {
            let text = String::from_utf8(bytes).unwrap();
            let field = |name: &str| -> Vec<String> {
                text.lines().filter_map(|line| Some(line.strip_prefix(name)?.to_owned())).collect()
            };
            for (path, hash) in field("Filename: ").iter().zip(field("SHA256: ")) {
                same(&dir.join("repo/apt").join(path), &hash);
                packages += 1;
            }
        }
    }
    assert!(packages >= 4);
    let rpm = dir.join("repo/rpm/stable");
    sh(
        dir,
        "gpgv --quiet --keyring ./keys.gpg repo/rpm/stable/repodata/repomd.xml.asc repo/rpm/stable/repodata/repomd.xml 2>&1",
    );
    let index = fs::read_to_string(rpm.join("repodata/repomd.xml")).unwrap();
    let hrefs: Vec<&str> =
        index.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(hrefs.len(), 3);
    for href in hrefs {
        let hash = href.trim_start_matches("repodata/").split('-').next().unwrap();
        same(&rpm.join(href), hash);
        if href.contains("primary") {
            let text = sh(&rpm, &format!("gzip -dc {href}"));
            for package in text.split("<package ").skip(1) {
                let after =
                    |mark: &str, end: char| package.split(mark).nth(1).unwrap().split(end).next().unwrap();
                same(&rpm.join(after("href=\"", '"')), after("pkgid=\"YES\">", '<'));
            }
        }
    }
}

/// Reads a file that must have this hash.
#[track_caller]
fn same(path: &Path, sha256: &str) -> Vec<u8> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, sha256, "{}", path.display());
    bytes
}
