//! The root partition, checked with e2fsprogs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use disk::ext4::{self, Ext4, Identity};
use disk::tree::{Content, Id, Kind, Node, Tree};
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use proptest::sample::Index;
use support::draw_cases;
use support::scratch::scratch;

use crate::others::{Other, Seen};
use crate::shape::{things, tree};

const EPOCH: i64 = 1_760_000_000;
/// A file system starts somewhere on a disk.
const AT: u64 = 1 << 20;

fn identity() -> Identity {
    Identity {
        label: "root".to_owned(),
        uuid: *b"0123456789abcdef",
        hash_seed: [1, 2, 3, 4],
        epoch: EPOCH,
        reserved: 1,
        inodes: 0,
        journal: None,
    }
}

/// Writes a tree at its smallest size.
fn write(tree: &Tree, path: &Path) -> u64 {
    let size = ext4::smallest(tree, &identity(), 0).unwrap();
    let file = File::create(path).unwrap();
    file.set_len(AT + size).unwrap();
    ext4::plan(tree, &identity(), size).unwrap().write(&file, AT).unwrap();
    size
}

/// Returns what e2fsprogs must report for a node.
fn expected(node: &Node, links: u32) -> Seen {
    let (kind, size, device, target) = match &node.kind {
        Kind::Dir => (0o040_000, 0, None, None),
        Kind::File(content) => (0o100_000, content.size(), None, None),
        Kind::Symlink(target) => (0o120_000, target.len() as u64, None, Some(target.clone())),
        Kind::Char(device) => (0o020_000, 0, Some((device.major, device.minor)), None),
        Kind::Block(device) => (0o060_000, 0, Some((device.major, device.minor)), None),
        Kind::Fifo => (0o010_000, 0, None, None),
        Kind::Socket => (0o140_000, 0, None, None),
    };
    Seen {
        inode: 0,
        mode: kind | u32::from(node.mode),
        uid: node.uid,
        gid: node.gid,
        modified: (node.modified.seconds, node.modified.nanoseconds),
        links,
        size,
        device,
        target,
        blocks: 0,
    }
}

/// Asserts that e2fsprogs report the same tree, and that it can be read back.
fn assert_written(tree: &Tree, path: &Path, size: u64, dir: &Path) {
    let other = Other::checked(path, AT);
    let seen = other.paths(dir);
    let names: BTreeSet<&str> = tree.iter().map(|(path, ..)| path).collect();
    assert_eq!(seen.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
    let mut links: BTreeMap<Id, u32> = BTreeMap::new();
    for (_, id, _) in tree.iter() {
        *links.entry(id).or_default() += 1;
    }
    let mut inodes: BTreeMap<Id, u32> = BTreeMap::new();
    let mut files = Vec::new();
    for (path, id, node) in tree.iter() {
        let reported = &seen[path];
        let mut expected_node = expected(node, links[&id]);
        (expected_node.inode, expected_node.blocks) = (reported.inode, reported.blocks);
        if matches!(node.kind, Kind::Dir) {
            (expected_node.links, expected_node.size) = (reported.links, reported.size);
        }
        if matches!(&node.kind, Kind::Symlink(target) if target.len() >= 60) {
            // Long targets are stored as content.
            expected_node.target = None;
        }
        assert_eq!(reported, &expected_node, "{path:?}");
        assert_eq!(*inodes.entry(id).or_insert(reported.inode), reported.inode, "{path:?} is a hard link");
        for (name, value) in &node.xattrs {
            assert_eq!(&other.attribute(reported.inode, name, dir), value, "{path:?}: {name}");
        }
        if let Kind::File(content) = &node.kind {
            let there: u64 = content.ranges(4096).iter().map(|(from, to)| (to - from).div_ceil(4096)).sum();
            assert!(reported.blocks <= (there + 8) * 8, "{path:?}: holes take no room: {reported:?}");
            files.push((reported.inode, content));
        }
    }
    assert_eq!(inodes.values().collect::<BTreeSet<_>>().len(), inodes.len(), "no two nodes are one");
    let small: Vec<_> = files.iter().filter(|(_, content)| content.size() < 1 << 20).collect();
    let numbers: Vec<u32> = small.iter().map(|(inode, _)| *inode).collect();
    for ((inode, content), bytes) in small.iter().zip(other.content(&numbers, dir)) {
        assert_eq!(content.read().unwrap(), bytes, "<{inode}>");
    }
    let file = Arc::new(File::open(path).unwrap());
    assert_same(tree, &Ext4::open(file, AT, size).unwrap().tree().unwrap());
}

/// Asserts that two trees are equal, including holes but not access times.
pub(crate) fn assert_same(one: &Tree, other: &Tree) {
    let names = |tree: &Tree| -> Vec<String> {
        tree.iter().map(|(path, ..)| path.to_owned()).filter(|path| path != "/lost+found").collect()
    };
    assert_eq!(names(one), names(other));
    let mut ids: BTreeMap<Id, Id> = BTreeMap::new();
    for (path, id, node) in one.iter().filter(|(path, ..)| *path != "/lost+found") {
        let (other_id, other) = (other.id(path).unwrap(), other.get(path).unwrap());
        assert_eq!(*ids.entry(id).or_insert(other_id), other_id, "{path:?} is a hard link");
        let about = |node: &Node| {
            let kind = match &node.kind {
                Kind::File(content) => format!("file of {}", content.size()),
                other => format!("{other:?}"),
            };
            (kind, node.mode, node.uid, node.gid, node.modified, node.xattrs.clone())
        };
        assert_eq!(about(node), about(other), "{path:?}");
        if let (Kind::File(one), Kind::File(other)) = (&node.kind, &other.kind) {
            for (from, to) in one.ranges(4096).into_iter().chain(other.ranges(4096)) {
                let mut buffers = [vec![0; (to - from) as usize], vec![0; (to - from) as usize]];
                one.read_at(from, &mut buffers[0]).unwrap();
                other.read_at(from, &mut buffers[1]).unwrap();
                assert_eq!(buffers[0], buffers[1], "{path:?} from {from} on");
            }
        }
    }
}

proptest! {
    #![proptest_config(draw_cases(12))]
    #[test]
    fn a_tree_of_any_shape_is_what_others_read(things in things(80)) {
        let dir = scratch("disk-any");
        let tree = tree(&things);
        let path = dir.join("any.img");
        let size = write(&tree, &path);
        assert_written(&tree, &path, size, &dir);
    }
}

#[test]
fn large_folders_and_large_files_are_what_others_read() {
    let dir = scratch("disk-large");
    let mut tree = Tree::new(Node::new(Kind::Dir, 0o755, EPOCH));
    tree.insert("/many", Node::new(Kind::Dir, 0o1777, EPOCH)).unwrap();
    for number in 0..5000 {
        let content = Content::bytes(format!("{number}").into_bytes());
        let name = format!("/many/a-name-that-is-not-exactly-short-{number}");
        tree.insert(&name, Node::new(Kind::File(content), 0o644, EPOCH)).unwrap();
    }
    let source = dir.join("source");
    let file = File::create(&source).unwrap();
    file.set_len(150 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"the end", (150 << 20) - 7).unwrap();
    let file = Arc::new(File::open(&source).unwrap());
    // More than one extent can hold, and more than 32 bits can address.
    let dense = Content::stored(file, 0, 150 << 20);
    tree.insert("/dense", Node::new(Kind::File(dense), 0o600, EPOCH)).unwrap();
    let pieces = [0, 4096 * 7, 5 << 30].map(|at| disk::tree::Piece {
        at,
        size: 4096,
        source: disk::tree::Source::Memory(vec![7; 4096].into()),
    });
    let sparse = Content::sparse(6 << 30, pieces.to_vec());
    tree.insert("/sparse", Node::new(Kind::File(sparse), 0o600, EPOCH)).unwrap();
    let path = dir.join("large.img");
    let size = write(&tree, &path);
    assert_written(&tree, &path, size, &dir);
    let other = Other::checked(&path, AT);
    let inode = other.paths(&dir)["/dense"].inode;
    assert!(other.content(&[inode], &dir)[0].ends_with(b"\0the end"), "all of a large file is there");
}

#[test]
fn mke2fs_and_this_make_one_tree_of_one_folder() {
    let dir = scratch("disk-oracle");
    let script = "
        mkdir -p root/etc root/usr/bin root/deep/er/still 'root/white space'
        for i in $(seq 40); do echo $i >root/etc/file-$i; done
        cp /bin/sh root/usr/bin/sh; chmod 4755 root/usr/bin/sh; ln root/usr/bin/sh root/usr/bin/dash
        ln -s sh root/usr/bin/short; ln -s $(printf '%0100d' 0) root/usr/bin/long
        mkfifo root/pipe; mknod root/null c 1 3; mknod root/disk b 259 1000
        truncate -s 10M root/hole; printf x | dd of=root/hole bs=1 seek=5000000 conv=notrunc status=none
        printf 'ü' >'root/white space/ümläut'
        chown 1000:70000 root/etc/file-7; chmod 0 root/etc/file-8
        setfattr -n user.name -v value root/etc/file-9
        setfattr -n security.capability -v 0x0100000200040a00000000000000000000000000 root/usr/bin/sh
        find root -exec touch -h -d '2025-01-02 03:04:05' {} +
        tar --create --directory=root --sort=name --numeric-owner --format=posix --xattrs --xattrs-include='*' \\
            --file=root.tar .
        truncate -s 64M other.img
        E2FSPROGS_FAKE_TIME=1760000000 mke2fs -q -t ext4 -b 4096 -O ^orphan_file,^resize_inode -E root_owner=0:0 -d root other.img";
    let output = crate::others::command("sh").current_dir(&*dir).args(["-euc", script]).output().unwrap();
    assert!(output.status.success(), "{}", crate::others::both(&output));
    let ours = Tree::from_tar(&dir.join("root.tar")).unwrap();
    let other = Arc::new(File::open(dir.join("other.img")).unwrap());
    let theirs = Ext4::open(other, 0, 64 << 20).unwrap();
    let mut theirs = without_lost(theirs.tree().unwrap());
    // mke2fs gives the root its own time.
    theirs.get_mut("/").unwrap().modified = ours.get("/").unwrap().modified;
    // A tar without holes contains zeros instead.
    assert_same(&ours, &theirs);
    let path = dir.join("ours.img");
    let size = write(&ours, &path);
    assert_written(&ours, &path, size, &dir);
    // Their tree is written unchanged, including holes.
    let path = dir.join("theirs.img");
    let size = write(&theirs, &path);
    assert_written(&theirs, &path, size, &dir);
}

fn without_lost(mut tree: Tree) -> Tree {
    tree.remove("/lost+found");
    tree
}

proptest! {
    #![proptest_config(draw_cases(100))]
    #[test]
    fn a_damaged_file_system_is_an_error_and_no_panic(
        at in any::<Index>(),
        bytes in vec(any::<u8>(), 1..64),
        checked in any::<bool>(),
    ) {
        let (disk, used) = damaged_one();
        let (mut damaged, size) = (disk.clone(), disk.len());
        // Without checksums, all data is trusted.
        if !checked {
            damaged[1024 + 0x65] &= !4;
        }
        let at = *at.get(used);
        let end = (at + bytes.len()).min(size);
        damaged[at..end].copy_from_slice(&bytes[..end - at]);
        let file = nameless(&damaged);
        // Reading must end, whatever the data says.
        if let Ok(fs) = Ext4::open(file, 0, size as u64) {
            let _ = fs.identity();
            let _ = fs.used();
            if let Ok(tree) = fs.tree() {
                for (_, _, node) in tree.iter() {
                    if let Kind::File(content) = &node.kind && content.size() < 1 << 24 {
                        let _ = content.read();
                    }
                }
            }
        }
    }
}

/// A small file system with every kind of node.
fn damaged_one() -> &'static (Vec<u8>, Vec<usize>) {
    static MADE: OnceLock<(Vec<u8>, Vec<usize>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = scratch("disk-damaged");
        let mut tree = crate::debian::system();
        for number in 0..300 {
            let path = format!("/etc/a-name-for-an-index-of-names-{number}");
            tree.insert(&path, Node::new(Kind::Symlink("x".repeat(number + 1)), 0o777, EPOCH)).unwrap();
        }
        let path = dir.join("disk.img");
        write(&tree, &path);
        let disk = fs::read(&path).unwrap()[AT as usize..].to_vec();
        // Offsets of non-zero data beyond the boot block.
        let used = (1024..disk.len()).filter(|at| disk[*at] != 0).collect();
        (disk, used)
    })
}

fn nameless(bytes: &[u8]) -> Arc<File> {
    let dir = scratch("disk-damaged-one");
    let file =
        File::options().read(true).write(true).create(true).truncate(true).open(dir.join("disk")).unwrap();
    // Most of it is zero.
    file.set_len(bytes.len() as u64).unwrap();
    for (number, block) in bytes.chunks(4096).enumerate().filter(|(_, block)| **block != [0; 4096]) {
        std::os::unix::fs::FileExt::write_all_at(&file, block, number as u64 * 4096).unwrap();
    }
    Arc::new(file)
}

#[test]
fn the_same_tree_is_the_same_bytes_and_too_small_a_size_is_said() {
    let dir = scratch("disk-same");
    let mut tree = Tree::new(Node::new(Kind::Dir, 0o755, EPOCH));
    let content = Content::bytes(vec![9; 16 << 20]);
    tree.insert("/file", Node::new(Kind::File(content), 0o644, EPOCH)).unwrap();
    let [one, two] = ["one", "two"].map(|name| dir.join(name));
    write(&tree, &one);
    write(&tree, &two);
    assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap());
    let error = ext4::plan(&tree, &identity(), 16 << 20).err().unwrap();
    assert_eq!(
        format!("{error:#}"),
        "the root file system has 16777216 bytes: invalid: image size too small for the declared namespace"
    );
}
