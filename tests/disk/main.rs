//! Disks: what is written must be what others read.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::time::Instant;
use xtask::image::{bmap, disk, pack, tree::Tree};

#[test]
fn smoke() {
    let t = Instant::now();
    let tree = Tree::from_tar(Path::new("/tmp/w/img/root.tar")).unwrap();
    eprintln!("tar {:?} {}", t.elapsed(), tree.iter().count());
    let layout = disk::Layout {
        disk: 0x1234,
        seed: [7; 32],
        epoch: 1760000000,
        boot: "/boot/firmware".into(),
        boot_label: "BOOT".into(),
        boot_size: None,
        root_label: "root".into(),
        size: None,
        free: 64 << 20,
    };
    let t = Instant::now();
    disk::write(&tree, &layout, Path::new("/tmp/w/img-disk/a.img")).unwrap();
    eprintln!("write {:?}", t.elapsed());
    let t = Instant::now();
    bmap::write(Path::new("/tmp/w/img-disk/a.img"), Path::new("/tmp/w/img-disk/a.bmap")).unwrap();
    eprintln!("bmap {:?}", t.elapsed());
    let t = Instant::now();
    pack::write_zst(Path::new("/tmp/w/img-disk/a.img"), Path::new("/tmp/w/img-disk/a.zst")).unwrap();
    eprintln!("zst {:?}", t.elapsed());
}
