//! Disks: what is written must be what others read.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::time::Instant;
use xtask::image::bake;

#[test]
fn smoke() {
    for i in 0..2 {
        let t = Instant::now();
        let deb = std::env::var("DEB").unwrap();
        let b = bake::bake(
            Path::new("/tmp/w/img/base.img"),
            &[deb.into()],
            None,
            Path::new(&format!("/tmp/w/img-disk/b{i}.img")),
        );
        match b {
            Ok(b) => eprintln!("bake {:?} grown {} size {}", t.elapsed(), b.grown, b.size),
            Err(e) => panic!("{e:#}"),
        }
    }
}
