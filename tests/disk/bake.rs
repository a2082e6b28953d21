//! Installs packages into existing images and checks the results, and refused input.

mod refusals;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Result;
use disk::ext4::Ext4;
use disk::tree::Tree;
use disk::{layout, mbr, pack};
use image::bake::{self, Baked, Stock};
use sha2::{Digest, Sha256};
use support::scratch::scratch;

use crate::debian::{EPOCH, layout, package, system};
use crate::ext4::assert_same;
use crate::others::{Other, both, command, ok};

const NEEDS: &str = "Depends: systemd-sysusers (>= 250) | other, systemd\n";

/// Bakes without any known distribution.
fn bake(image: &Path, debs: &[PathBuf], size: Option<u64>, out: &Path) -> Result<Baked> {
    let nothing = Stock { suites: Vec::new(), locks: PathBuf::new(), update: None, cache: PathBuf::new() };
    bake::bake(image, debs, &nothing, size, out)
}

/// Writes an image of the system with data before its first partition that the partition table does not
/// cover.
fn base(dir: &Path) -> PathBuf {
    let path = dir.join("base.img");
    layout::write(&system(), &layout(), &path).unwrap();
    File::options().write(true).open(&path).unwrap().write_all_at(b"a boot loader", 32 << 10).unwrap();
    path
}

fn root(image: &Path) -> (Arc<File>, mbr::Partition) {
    let file = Arc::new(File::open(image).unwrap());
    let root = mbr::read(&file).unwrap().partitions[1];
    (file, root)
}

pub(crate) fn tree(image: &Path) -> Tree {
    let (file, root) = root(image);
    Ext4::open(file, root.at, root.size).unwrap().tree().unwrap()
}

pub(crate) fn sum(path: &Path) -> Vec<u8> {
    Sha256::digest(fs::read(path).unwrap()).to_vec()
}

/// Bakes input that must be refused; returns the error.
fn refused(base: &Path, deb: &Path) -> String {
    refused_by(base, |out| bake(base, &[deb.to_owned()], None, out))
}

/// Like `refused`, with another way to bake.
pub(crate) fn refused_by(base: &Path, bake: impl FnOnce(&Path) -> Result<Baked>) -> String {
    let out = base.with_file_name("refused.img");
    let error = format!("{:#}", bake(&out).unwrap_err());
    assert!(!error.contains('\n'), "one line: {error}");
    let folder = base.parent().unwrap();
    let left: Vec<_> =
        fs::read_dir(folder).unwrap().filter(|e| e.as_ref().unwrap().path().starts_with(&out)).collect();
    assert!(left.is_empty() && !out.with_added_extension("new").exists(), "nothing is left");
    error.replace(&folder.display().to_string(), "DIR")
}

#[test]
fn an_image_gets_packages_and_keeps_all_else() {
    let dir = scratch("bake");
    let base = base(&dir);
    let before = sum(&base);
    let deb = package(&dir, "arm64", NEEDS, 2000);
    let [one, two] = ["one.img", "two.img"].map(|name| dir.join(name));
    let Baked { grown, .. } = bake(&base, std::slice::from_ref(&deb), None, &one).unwrap();
    assert_eq!(grown, 0, "there was room");
    bake(&base, std::slice::from_ref(&deb), None, &two).unwrap();
    assert!(sum(&one) == sum(&two), "the same twice");
    assert_eq!(sum(&base), before, "what was given is as it was");
    assert!(!Path::new("/var/lib/a-script-was-here").exists(), "scripts cannot write to this machine");

    let (file, partition) = root(&one);
    let all_before = fs::read(&base).unwrap();
    let mut start = vec![0; partition.at as usize];
    file.read_exact_at(&mut start, 0).unwrap();
    assert!(
        start == all_before[..start.len()],
        "partition table, boot loader and boot partition are as they were"
    );
    let other = Other::checked(&one, partition.at);
    let about = |image: &Path| {
        let stats = ok("debugfs", &["-R", "stats", &format!("{}?offset={}", image.display(), partition.at)]);
        let kept = [
            "volume name",
            "UUID",
            "Hash Seed",
            "Inode count",
            "Block count",
            "Reserved block",
            "Journal size",
        ];
        let lines = stats.lines().filter(|line| kept.iter().any(|word| line.contains(word)));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(about(&base), about(&one));

    let (mut was, mut is) = (tree(&base), tree(&one));
    let text = |tree: &Tree, path: &str| String::from_utf8(tree.read(path).unwrap()).unwrap();
    assert!(text(&is, "/var/lib/dpkg/status").contains("Package: robot\nStatus: install ok installed"));
    assert_eq!(text(&is, "/etc/copied"), "what it says\n", "a script read what was not there at first");
    assert_eq!(text(&is, "/usr/share/changed-by-a-script"), "before\nafter\n");
    assert!(is.get("/usr/share/large").is_none(), "a script removed it");
    assert!(is.get("/var/lib/dpkg/arch").is_none(), "what dpkg was told is not in the image");
    let (changed, copied) =
        (is.get("/usr/share/changed-by-a-script").unwrap(), is.get("/etc/copied").unwrap());
    assert_eq!((changed.uid, changed.gid, changed.mode), (1234, 70_000, 0o600));
    assert_eq!(changed.xattrs["user.kept"], b"yes");
    assert_eq!((copied.uid, copied.gid, copied.modified.seconds), (1, 2, EPOCH));
    let seen = other.paths(&dir);
    assert_eq!(seen["/usr/bin/tool"].links, 2);
    let capability = other.attribute(seen["/usr/bin/tool"].inode, "security.capability", &dir);
    assert_eq!(capability, [1, 0, 0, 2, 0, 4, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let written = &is.get("/usr/share/robot/data").unwrap().xattrs["security.capability"];
    assert_eq!(written, &capability, "a capability of the image's root, not of a namespace's");
    // Nothing else has changed.
    for path in [
        "/etc/copied",
        "/etc/robot.conf",
        "/usr/share/robot",
        "/usr/share/large",
        "/usr/share/changed-by-a-script",
    ] {
        was.remove(path);
        is.remove(path);
    }
    for tree in [&mut was, &mut is] {
        tree.remove("/var/lib/dpkg");
        for folder in ["/", "/etc", "/usr/share", "/var/lib"] {
            tree.get_mut(folder).unwrap().modified.seconds = 0;
        }
    }
    assert_same(&was, &is);
}

#[test]
fn an_upgrade_replaces_one_name_of_a_file_and_leaves_the_other() {
    let dir = scratch("bake-upgrade");
    let first = dir.join("first.img");
    let deb = package(&dir, "arm64", NEEDS, 2000);
    let mut tree = bake(&base(&dir), &[deb], None, &first).unwrap().tree;
    let id = tree.id("/usr/share/robot/data").unwrap();
    tree.link("/usr/bin/an-administrator-s-link", id).unwrap();
    tree.insert("/etc/robot.conf", edited(&tree)).unwrap();
    let second = dir.join("second.img");
    layout::write(&with_boot(tree), &layout(), &second).unwrap();
    let newer = package(&dir, "arm64", "Section: misc\n", 3000);
    let out = dir.join("out.img");
    bake(&second, &[newer], None, &out).unwrap();
    let tree = self::tree(&out);
    let size = |path: &str| tree.read(path).unwrap().len();
    assert_eq!((size("/usr/share/robot/data"), size("/usr/bin/an-administrator-s-link")), (3000, 2000));
    assert_eq!(tree.read("/etc/robot.conf").unwrap(), b"speed = 9\n", "what was edited is kept");
    assert!(String::from_utf8(tree.read("/var/lib/dpkg/status").unwrap()).unwrap().contains("Section: misc"));
}

fn edited(tree: &Tree) -> disk::tree::Node {
    let mut node = tree.get("/etc/robot.conf").unwrap().clone();
    node.kind = disk::tree::Kind::File(disk::tree::Content::bytes(*b"speed = 9\n"));
    node
}

/// Adds the contents of the boot partition, which a root partition lacks.
fn with_boot(mut tree: Tree) -> Tree {
    let path = "/boot/firmware/config.txt";
    tree.insert(path, system().get(path).unwrap().clone()).unwrap();
    tree
}

#[test]
fn two_runs_do_not_write_one_file() {
    let dir = scratch("bake-two");
    let out = dir.join("out.img");
    let first = layout::Draft::new(&out, 10).unwrap();
    let error = layout::Draft::new(&out, 10).unwrap_err();
    assert!(format!("{error:#}").ends_with("another run is writing it: wait until it ends"), "{error:#}");
    // An interrupted run leaves its draft behind, but no lock.
    let draft = out.with_added_extension("new");
    drop(first);
    assert!(!draft.exists() && !out.exists());
    fs::write(&draft, "half").unwrap();
    layout::Draft::new(&out, 10).unwrap().keep().unwrap();
    assert_eq!(fs::read(&out).unwrap(), [0; 10]);
}

#[test]
fn a_root_that_is_too_small_grows_in_either_partition_table() {
    let dir = scratch("bake-grow");
    let base = base(&dir);
    let deb = package(&dir, "arm64", NEEDS, 40 << 20);
    let out = dir.join("grown.img");
    let grown = bake(&base, std::slice::from_ref(&deb), None, &out).unwrap().grown;
    assert!(grown > 32 << 20, "{grown}");
    assert_grown(&base, &out, &dir);

    let gpt = dir.join("gpt.img");
    let (file, partition) = root(&base);
    let disk = File::create(&gpt).unwrap();
    disk.set_len(partition.end() + (1 << 20)).unwrap();
    let boot = mbr::read(&file).unwrap().partitions[0];
    let table = format!(
        "label: gpt\nlabel-id: 11111111-2222-3333-4444-555555555555\nfirst-lba: 2048\n\
         start={}, size={}, type=uefi, uuid=AAAAAAAA-0000-0000-0000-000000000001, name=boot\n\
         start={}, size={}, type=linux, uuid=AAAAAAAA-0000-0000-0000-000000000002, name=root\n",
        boot.at / 512,
        boot.size / 512,
        partition.at / 512,
        partition.size / 512
    );
    fs::write(dir.join("table"), table).unwrap();
    let input = Stdio::from(File::open(dir.join("table")).unwrap());
    let output = command("sfdisk").arg("-q").arg(&gpt).stdin(input).output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    let bytes = fs::read(&base).unwrap();
    disk.write_all_at(&bytes[boot.at as usize..], boot.at).unwrap();
    let out = dir.join("gpt-grown.img");
    bake(&gpt, std::slice::from_ref(&deb), None, &out).unwrap();
    assert_grown(&gpt, &out, &dir);
    let report = both(&command("sfdisk").arg("--verify").arg(&out).output().unwrap());
    assert!(report.contains("No errors detected"), "{report}");

    // A requested size.
    let out = dir.join("asked.img");
    let size = 1 << 30;
    assert_eq!(bake(&base, std::slice::from_ref(&deb), Some(size), &out).unwrap().size, size);
    assert_eq!((fs::metadata(&out).unwrap().len(), root(&out).1.end()), (size, size));
    let error = bake(&base, &[deb], Some(50 << 20), &dir.join("no.img")).unwrap_err();
    assert!(format!("{error:#}").contains("an image can grow but not shrink"), "{error:#}");
}

/// Asserts that only the size of the root partition has changed, and that it is valid.
fn assert_grown(base: &Path, out: &Path, dir: &Path) {
    let (_, partition) = root(out);
    assert!(partition.size > root(base).1.size);
    assert!(Other::checked(out, partition.at).paths(dir).contains_key("/usr/share/robot/data"));
    let dump = |image: &Path| {
        let table = ok("sfdisk", &["--json", image.to_str().unwrap()]);
        let mut json: serde_json::Value = serde_json::from_str(&table).unwrap();
        let table = json["partitiontable"].as_object_mut().unwrap();
        for key in ["device", "lastlba"] {
            table.remove(key);
        }
        for partition in table["partitions"].as_array_mut().unwrap() {
            partition.as_object_mut().unwrap().remove("node");
        }
        table["partitions"][1].as_object_mut().unwrap().remove("size");
        json
    };
    assert_eq!(dump(base), dump(out), "identifiers are kept");
}

#[test]
fn a_packed_image_is_unpacked_once_and_gives_the_same() {
    let dir = scratch("bake-packed");
    let base = base(&dir);
    let deb = package(&dir, "arm64", NEEDS, 2000);
    let plain = dir.join("plain.img");
    bake(&base, std::slice::from_ref(&deb), None, &plain).unwrap();
    pack::write_zst(&base, &dir.join("base.img.zst")).unwrap();
    ok("sh", &["-euc", &format!("cd {}; xz -0k base.img; gzip -1k base.img", dir.display())]);
    for packed in ["base.img.zst", "base.img.xz", "base.img.gz"] {
        let out = dir.join("out.img");
        let packed = dir.join(packed);
        bake(&packed, std::slice::from_ref(&deb), None, &out).unwrap();
        assert!(sum(&out) == sum(&plain), "{}", packed.display());
        // A truncated image.
        let whole = fs::read(&packed).unwrap();
        fs::write(&packed, &whole[..whole.len() / 2]).unwrap();
        let error = refused(&packed, &deb);
        assert!(error.contains("damaged or truncated: download it again"), "{error}");
    }
}

/// Packages are installed in a sandbox in `/tmp`, which has its own mounts on some machines.
#[test]
fn what_is_mounted_below_tmp_does_not_matter() {
    let dir = scratch("bake-below-tmp");
    base(&dir);
    let deb = package(&dir, "arm64", NEEDS, 10);
    let place = Path::new("/tmp").join(format!("bake-{}", std::process::id()));
    fs::create_dir(&place).unwrap();
    ok("mount", &["-t", "tmpfs", "tmpfs", place.to_str().unwrap()]);
    let result = bake(&dir.join("base.img"), &[deb], None, &dir.join("out.img"));
    ok("umount", &[place.to_str().unwrap()]);
    fs::remove_dir(&place).unwrap();
    result.unwrap();
}

/// Run and killed by the next test; not a test of its own.
#[test]
#[ignore = "is run by another one"]
fn bake_for_another_test() {
    let dir = PathBuf::from(std::env::var_os("BAKE_DIR").unwrap());
    let deb = dir.join("robot_1.2_arm64.deb");
    bake(&dir.join("base.img"), &[deb], None, &dir.join("out.img")).unwrap();
}

#[test]
fn killed_at_any_moment_there_is_a_whole_image_or_none() {
    let dir = scratch("bake-killed");
    base(&dir);
    package(&dir, "arm64", NEEDS, 2000);
    let run = || {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "--ignored", "bake::bake_for_another_test"]).env("BAKE_DIR", &*dir);
        child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let out = dir.join("out.img");
    let begun = std::time::Instant::now();
    assert!(run().wait().unwrap().success());
    let whole = begun.elapsed();
    let expected = sum(&out);
    for part in 1..=6 {
        fs::remove_file(&out).unwrap();
        let mut child = run();
        // Not a wait for an event: the run is interrupted at this moment.
        std::thread::sleep(whole * part / 7);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!out.exists() || sum(&out) == expected, "after {part} sevenths");
        assert!(run().wait().unwrap().success(), "what was left does not matter");
        assert!(sum(&out) == expected);
    }
}
