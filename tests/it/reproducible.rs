//! The same input gives the same bytes: in another directory, on another day, and with an empty cache.

use std::fs;
use std::process::Command;

use support::command::{dist, ok, program, root, sh};
use support::scratch::scratch;

#[test]
fn another_directory_on_another_day_gives_the_same_bytes() {
    let here = dist();
    let dir = scratch("elsewhere-with-a-longer-name");
    let copy = dir.join("checkout");
    fs::create_dir_all(&copy).unwrap();
    // Sets the time of all files to today.
    sh(
        root(),
        &format!(
            "git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --no-dereference -t {}",
            copy.display()
        ),
    );
    // The toolchain is already built from the same sources, so it is told the path instead of being built
    // again. The programs are built again.
    let stdout = ok(Command::new(program())
        .current_dir(&copy)
        .env("CARGO_TARGET_DIR", dir.join("target"))
        .env("TZ", "Pacific/Kiritimati")
        .env("CARGO_MANIFEST_DIR", copy.join("xtask"))
        .args(["dist", "--out"])
        .arg(dir.join("dist")));
    assert_eq!(stdout.lines().count(), here.paths.len());
    let read = |dir: &std::path::Path| fs::read_to_string(dir.join("SHA256SUMS")).unwrap();
    assert_eq!(read(&dir.join("dist")), read(&here.dir));
}
