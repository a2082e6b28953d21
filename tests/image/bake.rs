//! A real system without our packages' dependencies gets them from its own suite and boots.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use disk::ext4::{self, Ext4};
use disk::mbr;
use disk::tree::{Content, Kind, Tree};
use support::made;

use crate::boot::boots;
use crate::check::Scratch;

/// Packages to remove: scripts of these create a user and depend on others whose scripts must run in their
/// own system.
const LACKING: [&str; 5] =
    ["rovi-services", "polkitd", "libpolkit-agent-1-0", "libpolkit-gobject-1-0", "xml-core"];

#[test]
fn a_system_without_polkit_gets_it_and_boots() {
    made::emulator();
    let folder = Scratch::new("bake");
    let base = folder.0.join("base.img");
    let disk = without(made::pi4(), &base);
    assert!(!status(&disk).contains("Package: polkitd\n"));
    let before = fs::metadata(&base).unwrap().modified().unwrap();
    let words = ["image", "rovi", "first-boot", "--board", "pi4", "--format", "img", "--locks"];
    let locks = made::locks();
    let words = [&words[..], &[locks.as_str(), "--base", base.to_str().unwrap(), "--out"]].concat();
    let image = made::xtask(&words, &folder.0.join("out")).remove(0);
    assert_eq!(fs::metadata(&base).unwrap().modified().unwrap(), before);
    let status = status(&root(&image));
    for name in LACKING {
        assert!(status.contains(&format!("Package: {name}\nStatus: install ok installed\n")), "{name}");
    }
    let users = String::from_utf8(root(&image).read("/etc/passwd").unwrap()).unwrap();
    assert!(users.lines().any(|line| line.starts_with("polkitd:")), "{users}");
    boots(&image, &[], "virt");
}

/// Writes an image without those packages; returns its root.
fn without(image: &Path, out: &Path) -> Tree {
    let mut tree = root(image);
    let status = status(&tree);
    let mut kept = String::new();
    for paragraph in status.split_inclusive("\n\n") {
        let name = paragraph.lines().next().unwrap().trim_start_matches("Package: ");
        if !LACKING.contains(&name) {
            kept.push_str(paragraph);
            continue;
        }
        let info = |kind: &str| {
            [name.to_owned(), format!("{name}:arm64")].map(|n| format!("/var/lib/dpkg/info/{n}.{kind}"))
        };
        let list = info("list").into_iter().find(|path| tree.get(path).is_some()).unwrap();
        for path in String::from_utf8(tree.read(&list).unwrap()).unwrap().lines() {
            if tree.get(path).is_some_and(|node| !matches!(node.kind, Kind::Dir)) {
                tree.remove(path);
            }
        }
        for kind in ["list", "md5sums", "conffiles", "preinst", "postinst", "prerm", "postrm", "triggers"] {
            info(kind).iter().for_each(|path| {
                tree.remove(path);
            });
        }
    }
    change(&mut tree, "/var/lib/dpkg/status", |_| kept.clone());
    for file in ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"] {
        change(&mut tree, file, |text| {
            text.split_inclusive('\n').filter(|line| !line.starts_with("polkitd:")).collect()
        });
    }
    // Everything before that partition is copied; nothing follows it.
    let (fs, at) = opened(image);
    let file = File::create(out).unwrap();
    io::copy(&mut File::open(image).unwrap().take(at), &mut &file).unwrap();
    file.set_len(at + fs.size()).unwrap();
    ext4::plan(&tree, &fs.identity().unwrap(), fs.size()).unwrap().write(&file, at).unwrap();
    root(out)
}

fn change(tree: &mut Tree, path: &str, new: impl FnOnce(&str) -> String) {
    let text = String::from_utf8(tree.read(path).unwrap()).unwrap();
    tree.get_mut(path).unwrap().kind = Kind::File(Content::bytes(new(&text).into_bytes()));
}

fn status(tree: &Tree) -> String {
    String::from_utf8(tree.read("/var/lib/dpkg/status").unwrap()).unwrap()
}

fn root(image: &Path) -> Tree {
    opened(image).0.tree().unwrap()
}

fn opened(image: &Path) -> (Ext4, u64) {
    let file = Arc::new(File::open(image).unwrap());
    let root = mbr::read(&file).unwrap().partitions[1];
    (Ext4::open(file, root.at, root.size).unwrap(), root.at)
}
