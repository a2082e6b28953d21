//! The same input gives the same bytes: another directory, another day, another user's cache of nothing.

use std::fs;
use std::process::Command;

use crate::command::{dist, ok, root, sh};
use crate::scratch::scratch;

#[test]
fn another_directory_on_another_day_gives_the_same_bytes() {
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
    let stdout = ok(Command::new(env!("CARGO"))
        .current_dir(&copy)
        .env("CARGO_TARGET_DIR", dir.join("target"))
        .env("TZ", "Pacific/Kiritimati")
        .env_remove("CARGO_MANIFEST_DIR")
        .args(["xtask", "dist", "--out"])
        .arg(dir.join("dist")));
    assert_eq!(stdout.lines().count(), dist().paths.len());
    let read = |dir: &std::path::Path| fs::read_to_string(dir.join("SHA256SUMS")).unwrap();
    assert_eq!(read(&dir.join("dist")), read(&dist().dir));
}
