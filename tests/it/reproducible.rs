//! The same input gives the same bytes: another directory, another day, another user's cache of nothing.

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
    // Files of today, whatever day the checkout is from.
    sh(
        root(),
        &format!(
            "git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --no-dereference -t {}",
            copy.display()
        ),
    );
    // The toolchain is built from that copy's files already, so it is told where it is instead of being built once more;
    // the programs are.
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
