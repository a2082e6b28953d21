//! The boot partition, checked with dosfstools and mtools.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

use disk::fat::{self, Identity};
use disk::tree::{Content, Kind, Node, Tree};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assume, proptest};
use proptest::sample::Index;
use support::draw_cases;
use support::scratch::scratch;

use crate::others::{both, command, ok};

/// 2024-02-29 12:34:56.
const LEAP: i64 = 1_709_210_096;

fn identity() -> Identity {
    Identity { label: "BOOT_1".to_owned(), serial: 0x1234_abcd, hidden: 8192 }
}

fn write(tree: &Tree, path: &Path, size: u64) -> anyhow::Result<()> {
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    fat::write(tree, &identity(), size, &file, 0)
}

/// Asserts that other tools find no errors and the same contents.
fn assert_read(tree: &Tree, path: &Path, dir: &Path) {
    let output = command("fsck.fat").arg("-n").arg(path).output().unwrap();
    let report = both(&output);
    // Only its version and the usage.
    assert!(output.status.success() && report.lines().count() == 2, "fsck.fat: {report}");
    let out = dir.join("out");
    let _ = fs::remove_dir_all(&out);
    fs::create_dir(&out).unwrap();
    if tree.iter().count() > 1 {
        let words = ["-s", "-n", "-m", "-i", path.to_str().unwrap(), "::/*", out.to_str().unwrap()];
        ok("mcopy", &words);
    }
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(&out).min_depth(1) {
        let entry = entry.unwrap();
        let name = format!("/{}", entry.path().strip_prefix(&out).unwrap().to_str().unwrap());
        let bytes = entry.file_type().is_file().then(|| fs::read(entry.path()).unwrap());
        files.insert(name, bytes);
    }
    let expected: BTreeMap<String, Option<Vec<u8>>> = tree
        .iter()
        .filter(|(path, ..)| *path != "/")
        .map(|(path, _, node)| match &node.kind {
            Kind::File(content) => (path.to_owned(), Some(content.read().unwrap())),
            _ => (path.to_owned(), None),
        })
        .collect();
    assert_eq!(files.keys().collect::<BTreeSet<_>>(), expected.keys().collect::<BTreeSet<_>>());
    assert!(files == expected, "what files hold differs");
}

type Things = Vec<(Index, String, Option<Vec<u8>>)>;

fn things() -> impl Strategy<Value = Things> {
    // mtools only reads characters of DOS code pages.
    let name = "[a-zA-Z0-9äöüß +,;=\\[\\]_.~-]{1,60}";
    vec((any::<Index>(), name, proptest::option::of(vec(any::<u8>(), 0..20_000))), 0..60)
}

proptest! {
    #![proptest_config(draw_cases(10))]
    #[test]
    fn files_of_any_name_are_what_others_read(things in things()) {
        let dir = scratch("fat-any");
        let mut tree = Tree::new(Node::new(Kind::Dir, 0o755, LEAP));
        let (mut folders, mut names) = (vec!["/".to_owned()], BTreeSet::new());
        for (folder, name, bytes) in &things {
            let path = format!("{}/{name}", folder.get(&folders).trim_end_matches('/'));
            if name.ends_with(['.', ' ']) || name.starts_with(' ') || !names.insert(path.to_lowercase()) {
                continue;
            }
            let kind = bytes.clone().map_or(Kind::Dir, |bytes| Kind::File(Content::bytes(bytes)));
            if bytes.is_none() {
                folders.push(path.clone());
            }
            tree.insert(&path, Node::new(kind, 0o644, LEAP)).unwrap();
        }
        let size = fat::smallest(&tree, 0);
        prop_assume!(size < 64 << 20);
        let path = dir.join("any.img");
        write(&tree, &path, size).unwrap();
        assert_read(&tree, &path, &dir);
    }
}

#[test]
fn a_firmware_s_folder_is_what_others_read() {
    let dir = scratch("fat-firmware");
    let mut tree = Tree::new(Node::new(Kind::Dir, 0o755, LEAP));
    tree.insert("/overlays", Node::new(Kind::Dir, 0o755, LEAP)).unwrap();
    for number in 0..700 {
        let content = Content::bytes(vec![number as u8; number]);
        let path = format!("/overlays/overlay-with-a-number-{number}.dtbo");
        tree.insert(&path, Node::new(Kind::File(content), 0o755, LEAP)).unwrap();
    }
    for (name, size) in
        [("config.txt", 93), ("KERNEL8.IMG", 30 << 20), ("empty", 0), ("bcm2712-rpi-5-b.dtb", 70_001)]
    {
        let content = Content::bytes(vec![0x5a; size]);
        tree.insert(&format!("/{name}"), Node::new(Kind::File(content), 0o755, LEAP)).unwrap();
    }
    let path = dir.join("boot.img");
    write(&tree, &path, 512 << 20).unwrap();
    assert_read(&tree, &path, &dir);
    let image = path.to_str().unwrap();
    let listed = ok("mdir", &["-i", image, "::/"]);
    for wanted in
        ["Volume in drive : is BOOT_1", "Serial Number is 1234-ABCD", "2024-02-29  12:34", "KERNEL8  IMG"]
    {
        assert!(listed.contains(wanted), "{wanted}: {listed}");
    }
}

#[test]
fn what_no_fat_can_hold_is_refused() {
    let dir = scratch("fat-refused");
    let path = dir.join("boot.img");
    let error = |name: &str, kind: Kind, other: Option<&str>| {
        let mut tree = Tree::new(Node::new(Kind::Dir, 0o755, LEAP));
        for name in other.into_iter().chain([name]) {
            tree.insert(&format!("/{name}"), Node::new(kind.clone(), 0o644, LEAP)).unwrap();
        }
        format!("{:#}", write(&tree, &path, 64 << 20).unwrap_err())
    };
    let file = || Kind::File(Content::bytes([]));
    assert_eq!(error("a:b", file(), None), "`/a:b`: a character in its name is not allowed on FAT");
    assert_eq!(error("end.", file(), None), "`/end.`: ends in a dot or a space, which FAT drops");
    assert_eq!(
        error("readme", file(), Some("README")),
        "`/readme`: differs from another name only in case, which FAT ignores: rename one"
    );
    assert_eq!(
        error("link", Kind::Symlink("target".to_owned()), None),
        "`/link`: neither a file nor a folder, so FAT cannot store it: keep it on the root partition"
    );
    assert_eq!(
        error("large", Kind::File(Content::bytes(vec![0; 70 << 20])), None),
        "`/large`: does not fit: make the boot partition larger"
    );
    let tree = Tree::new(Node::new(Kind::Dir, 0o755, LEAP));
    assert_eq!(
        format!("{:#}", write(&tree, &path, 20 << 20).unwrap_err()),
        "the boot partition has 20971520 bytes, which is too small for FAT32: give it at least 34 MiB"
    );
}
