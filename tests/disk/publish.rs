//! Whole disks and their published files.

use std::fs;

use disk::{bmap, layout, pack};
use support::scratch::scratch;

use crate::debian::{layout, system};
use crate::others::{Other, command, ok};

#[test]
fn a_disk_is_what_others_read_and_the_same_in_another_folder() {
    let dir = scratch("disk");
    fs::create_dir(dir.join("elsewhere")).unwrap();
    let [one, two] = ["one.img", "elsewhere/two.img"].map(|name| dir.join(name));
    let written = layout::write(&system(), &layout(), &one).unwrap();
    layout::write(&system(), &layout(), &two).unwrap();
    assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap(), "the same bytes");
    let mut other = layout();
    other.seed = [8; 32];
    layout::write(&system(), &other, &two).unwrap();
    assert!(fs::read(&one).unwrap() != fs::read(&two).unwrap(), "identifiers come from the seed");

    let json = ok("sfdisk", &["--json", one.to_str().unwrap()]);
    let table: serde_json::Value = serde_json::from_str(&json).unwrap();
    let table = &table["partitiontable"];
    assert_eq!((table["label"].as_str(), table["id"].as_str()), (Some("dos"), Some("0x524f5649")));
    let [boot, root] = written.partitions;
    for (found, wanted, kind) in [(&table["partitions"][0], boot, "c"), (&table["partitions"][1], root, "83")]
    {
        assert_eq!(found["type"].as_str(), Some(kind));
        assert_eq!(found["start"].as_u64(), Some(wanted.at / 512));
        assert_eq!(found["size"].as_u64(), Some(wanted.size / 512));
    }
    assert_eq!(table["partitions"][0]["bootable"].as_bool(), Some(true));
    let seen = Other::checked(&one, root.at).paths(&dir);
    assert!(seen.contains_key("/boot/firmware") && !seen.contains_key("/boot/firmware/config.txt"));
    let image = format!("{}@@{}", one.display(), boot.at);
    assert_eq!(ok("mtype", &["-i", &image, "::/config.txt"]), "arm_64bit=1\n");

    // A disk of a given size, and one that is too small.
    let mut sized = layout();
    sized.size = Some(256 << 20);
    assert_eq!(layout::write(&system(), &sized, &two).unwrap().size, 256 << 20);
    assert_eq!(fs::metadata(&two).unwrap().len(), 256 << 20);
    sized.size = Some(boot.end() + (1 << 20));
    let error = format!("{:#}", layout::write(&system(), &sized, &two).unwrap_err());
    assert!(
        error.starts_with(&format!(
            "{} bytes are too small for this image: give a larger size, or none",
            boot.end() + (1 << 20)
        )),
        "{error}"
    );
}

#[test]
fn others_unpack_what_is_packed_and_it_is_the_same_twice() {
    let dir = scratch("disk-packed");
    let image = dir.join("disk.img");
    layout::write(&system(), &layout(), &image).unwrap();
    // One piece and part of another.
    fs::OpenOptions::new().write(true).open(&image).unwrap().set_len(25 << 20).unwrap();
    let packed = ["disk.img.xz", "disk.img.zst", "again.xz", "again.zst"].map(|name| dir.join(name));
    pack::write_xz(&image, &packed[0]).unwrap();
    pack::write_zst(&image, &packed[1]).unwrap();
    pack::write_xz(&image, &packed[2]).unwrap();
    pack::write_zst(&image, &packed[3]).unwrap();
    let [xz, zst, xz_again, zst_again] = packed.map(|path| fs::read(path).unwrap());
    assert!(xz == xz_again && zst == zst_again, "the same bytes");
    let compare = "cd \"$0\"; xz -dc disk.img.xz | cmp - disk.img; zstd -qdc disk.img.zst | cmp - disk.img";
    ok("sh", &["-euc", compare, &dir.display().to_string()]);
    let sum = pack::sha256(&image).unwrap();
    assert_eq!(ok("sha256sum", &[&image.display().to_string()]).split(' ').next(), Some(sum.as_str()));
}

#[test]
fn a_block_map_is_what_bmaptool_reads_and_leaves_nothing_to_chance() {
    let dir = scratch("disk-mapped");
    let image = dir.join("disk.img");
    let [boot, root] = layout::write(&system(), &layout(), &image).unwrap().partitions;
    let describe = |name: &str| dir.join(name).display().to_string();
    bmap::write(&image, &dir.join("disk.bmap")).unwrap();
    // bmaptool verifies the checksum of every range and of the map.
    let output = ok(
        "bmaptool",
        &["copy", "--bmap", &describe("disk.bmap"), &describe("disk.img"), &describe("flashed")],
    );
    assert!(!output.contains("ERROR") && output.contains("synchronizing"), "{output}");
    let bytes = fs::read(&image).unwrap();
    assert!(fs::read(dir.join("flashed")).unwrap() == bytes);

    // A card with old data, which unmapped blocks keep.
    let card = dir.join("card");
    let mut parts = vec![0xff; bytes.len()];
    let map = fs::read_to_string(dir.join("disk.bmap")).unwrap();
    for line in map.lines().filter(|line| line.contains("<Range")) {
        let range = line.split(['>', '<']).nth(2).unwrap().trim();
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let [from, to] = [from, to].map(|block| block.parse::<usize>().unwrap() * 4096);
        parts[from..to + 4096].copy_from_slice(&bytes[from..to + 4096]);
    }
    fs::write(&card, &parts).unwrap();
    let seen = Other::checked(&card, root.at).paths(&dir);
    assert_eq!(seen, Other::checked(&image, root.at).paths(&dir));
    fs::write(dir.join("boot"), &parts[boot.at as usize..boot.end() as usize]).unwrap();
    let output = command("fsck.fat").arg("-n").arg(dir.join("boot")).output().unwrap();
    assert!(output.status.success(), "{}", crate::others::both(&output));
    let left = parts.chunks(4096).filter(|block| **block == [0xff; 4096]).count();
    assert!(left > 2000, "the map is worth something: {left} blocks");
}
