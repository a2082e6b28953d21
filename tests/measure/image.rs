//! The waiting time for an image after a package was changed.

use std::path::Path;
use std::time::{Duration, Instant};

use support::made;
use testbed::host;

use crate::alone;

/// Twice what `cargo xtask bench image` promises, because machines differ, and CI is sometimes half as fast.
/// It still detects an unnecessary extra read, installation or checksum.
const AGAIN: Duration = Duration::from_secs(6);
const INTO: Duration = Duration::from_secs(4);

#[test]
fn an_image_is_made_again_in_seconds_and_so_do_packages_get_into_one() {
    let _turn = alone();
    // Caches the root, so that only packages are new.
    let image = made::pi4().to_str().unwrap();
    let (folder, locks) = (Path::new(env!("CARGO_TARGET_TMPDIR")).join("measured-image"), made::locks());
    let target = "aarch64-unknown-linux-musl";
    let words = ["dist", "rovi", "first-boot", "--target", target, "--format", "deb", "--out"];
    let debs = made::xtask(&words, &folder.join("dist"));
    let debs: Vec<&str> = debs.iter().flat_map(|deb| ["--deb", deb.to_str().unwrap()]).collect();
    let common = ["image", "rovi", "first-boot", "--board", "pi4", "--format", "img", "--locks", &locks];
    let time = |further: &[&str], out: &str| {
        let begin = Instant::now();
        made::xtask(&[&common[..], &debs, further, &["--out"]].concat(), &folder.join(out));
        begin.elapsed()
    };
    let (mut again, mut into) = (Duration::MAX, Duration::MAX);
    // Later runs may be faster, with a warm page cache and less other load.
    for _ in 0..6 {
        again = again.min(time(&[], "again"));
        into = into.min(time(&["--base", image], "into"));
        if again < AGAIN && into < INTO {
            break;
        }
    }
    eprintln!("again after {again:?}, into one after {into:?}");
    let busy = host::busy();
    assert!(
        again < AGAIN.mul_f64(busy) && into < INTO.mul_f64(busy),
        "{again:?}, {into:?}, {busy} times as busy"
    );
}
