//! A disk that fills up during publishing: the error has one line, the published files stay consistent, and
//! the next run completes them.

use std::path::Path;
use std::process::{Command, Output};

use support::command::{both, ok, run, sh};
use support::scratch::scratch;
use testbed::host;

use super::kill::{consistent, published};
use super::{packages, repo};

/// Free kilobytes: for nothing, a package, indices, and part of what follows.
const LEFT: [u32; 5] = [0, 12, 32, 56, 76];

#[test]
fn a_full_disk_is_said_in_one_line_and_the_next_run_completes_it() {
    host::need(&[("gpgv", "gpgv"), ("gpg", "gpg"), ("mount", "mount")]).unwrap();
    let dir = scratch("repo-full");
    let (given, out) = (dir.join("dist"), dir.join("repo"));
    packages(&given, "wind", &["1.0.0"]);
    let _disk = Disk::new(&out);
    fill(&out, 60);
    says_so(&run(&mut repo(&given, &out)));
    sh(&out, "rm filler");
    ok(&mut repo(&given, &out));
    sh(&dir, "gpg --dearmor <repo/rovi-services.asc >keys.gpg");
    consistent(&dir);

    packages(&given, "wind", &["1.1.0"]);
    let mut failed = 0;
    for left in LEFT {
        fill(&out, left);
        let output = run(&mut repo(&given, &out));
        if !output.status.success() {
            says_so(&output);
            failed += 1;
        }
        consistent(&dir);
        sh(&out, "rm filler");
    }
    assert!(failed >= 3, "{failed}");
    ok(&mut repo(&given, &out));
    consistent(&dir);
    assert!(published(&out).contains(&"wind=1.1.0".to_owned()));
    assert_eq!(sh(&out, "find . -name '*.new*'; cat .lock"), "");
}

/// A small disk, unmounted at the end of the test.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn new(place: &'a Path) -> Disk<'a> {
        std::fs::create_dir(place).unwrap();
        sh(place, "mount -t tmpfs -o size=2m rovi-full .");
        Disk(place)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// Fills the disk except for this many kilobytes.
fn fill(out: &Path, left: u32) {
    sh(out, &format!("dd if=/dev/zero of=filler bs=4k status=none 2>&1 || truncate -s -{left}K filler"));
}

#[track_caller]
fn says_so(output: &Output) {
    let said = both(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let ends = ": No space left on device (os error 28): the published state is unchanged: make room and run it again\n";
    // A message about waiting for another test's run may come first.
    let errors: Vec<&str> =
        said.lines().filter(|line| !line.starts_with("waiting for another run")).collect();
    assert!(errors.len() == 1 && errors[0].starts_with("error: ") && said.ends_with(ends), "{said}");
}
