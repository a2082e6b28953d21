//! A small system for another processor, and a package for it.

use std::fs;
use std::path::{Path, PathBuf};

use disk::layout::Layout;
use disk::tree::{Content, Kind, Node, Tree};

use crate::others::{both, command};

pub(crate) const EPOCH: i64 = 1_760_000_000;

/// Returns a paragraph of the dpkg status file.
fn paragraph(name: &str, version: &str, rest: &str) -> String {
    format!(
        "Package: {name}\nStatus: install ok installed\nMaintainer: A <a@example.org>\nArchitecture: arm64\n\
         Version: {version}\n{rest}Description: {name}\n\n"
    )
}

/// Returns the system.
pub(crate) fn system() -> Tree {
    let mut tree = Tree::new(Node::new(Kind::Dir, 0o755, EPOCH));
    for path in [
        "/boot",
        "/boot/firmware",
        "/dev",
        "/etc",
        "/usr",
        "/usr/bin",
        "/usr/share",
        "/usr/share/doc",
        "/var",
        "/var/lib",
        "/var/lib/dpkg",
        "/var/lib/dpkg/info",
        "/var/lib/dpkg/updates",
        "/var/lib/dpkg/triggers",
        "/var/log",
    ] {
        tree.insert(path, Node::new(Kind::Dir, 0o755, EPOCH)).unwrap();
    }
    let status = paragraph("dpkg", "1.22.21", "")
        + &paragraph("systemd", "257.8-1", "Provides: systemd-sysusers (= 257.8-1)\n");
    for (path, mode, bytes) in [
        ("/boot/firmware/config.txt", 0o755, b"arm_64bit=1\n".to_vec()),
        ("/etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n".to_vec()),
        ("/etc/machine-id", 0o444, Vec::new()),
        ("/usr/bin/tool", 0o4755, vec![0x7f; 300_000]),
        ("/usr/share/large", 0o644, vec![b'l'; 400_000]),
        ("/usr/share/read-by-a-script", 0o640, b"what it says\n".to_vec()),
        ("/usr/share/changed-by-a-script", 0o600, b"before\n".to_vec()),
        ("/var/lib/dpkg/status", 0o644, status.into_bytes()),
        ("/var/lib/dpkg/info/format", 0o644, b"1\n".to_vec()),
        ("/var/lib/dpkg/info/dpkg.list", 0o644, b"/.\n".to_vec()),
        ("/var/lib/dpkg/info/systemd.list", 0o644, b"/.\n".to_vec()),
    ] {
        tree.insert(path, Node::new(Kind::File(Content::bytes(bytes)), mode, EPOCH)).unwrap();
    }
    let id = tree.id("/usr/bin/tool").unwrap();
    tree.link("/usr/bin/other-name", id).unwrap();
    let null = Kind::Char(disk::tree::Device { major: 1, minor: 3 });
    tree.insert("/dev/null", Node::new(null, 0o666, EPOCH)).unwrap();
    let tool = tree.get_mut("/usr/bin/tool").unwrap();
    // A capability that contains a line feed.
    let capability = [1, 0, 0, 2, 0, 4, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].to_vec();
    tool.xattrs.insert("security.capability".to_owned(), capability);
    (tool.uid, tool.gid) = (0, 42);
    let changed = tree.get_mut("/usr/share/changed-by-a-script").unwrap();
    // Outside the range of a namespace.
    (changed.uid, changed.gid) = (1234, 70_000);
    changed.xattrs.insert("user.kept".to_owned(), b"yes".to_vec());
    tree
}

/// Returns the system for this machine's processor, with a working dpkg copied from the host.
pub(crate) fn native() -> Tree {
    let mut tree = system();
    let mut put = |path: &str, kind: Kind, mode: u16| {
        for (at, _) in path.match_indices('/').skip(1) {
            if tree.get(&path[..at]).is_none() {
                tree.insert(&path[..at], Node::new(Kind::Dir, 0o755, EPOCH)).unwrap();
            }
        }
        if tree.get(path).is_none() || !matches!(kind, Kind::Dir) {
            tree.insert(path, Node::new(kind, mode, EPOCH)).unwrap();
        }
    };
    for folder in ["/proc", "/run", "/tmp", "/usr/sbin", "/usr/lib64"] {
        put(folder, Kind::Dir, 0o755);
    }
    for link in ["bin", "lib", "lib64", "sbin"] {
        put(&format!("/{link}"), Kind::Symlink(format!("usr/{link}")), 0o777);
    }
    let programs = "for name in sh dpkg dpkg-deb dpkg-split tar rm cat diff ldconfig start-stop-daemon; do
        path=$(command -v $name); echo $path; ldd $path 2>/dev/null | grep -o '/[^ ]*' || :; done | sort -u";
    let output = command("sh").args(["-euc", programs]).output().unwrap();
    for path in String::from_utf8(output.stdout).unwrap().lines() {
        let inner = if path.starts_with("/usr/") { path.to_owned() } else { format!("/usr{path}") };
        put(&inner, Kind::File(Content::bytes(fs::read(path).unwrap())), 0o755);
    }
    let release = "NAME=\"Debian\"\nID=debian\nVERSION_CODENAME=trixie\n";
    put("/usr/lib/os-release", Kind::File(Content::bytes(release.as_bytes())), 0o644);
    let status = String::from_utf8(tree.read("/var/lib/dpkg/status").unwrap()).unwrap();
    let status = status.replace("arm64", &processor());
    let kind = Kind::File(Content::bytes(status.into_bytes()));
    tree.insert("/var/lib/dpkg/status", Node::new(kind, 0o644, EPOCH)).unwrap();
    tree
}

/// Returns Debian's name for this machine's processor.
pub(crate) fn processor() -> String {
    let output = command("dpkg").arg("--print-architecture").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Returns a layout for the system.
pub(crate) fn layout() -> Layout {
    Layout { disk: 0x524f_5649, seed: [7; 32], epoch: EPOCH, boot_size: None, size: None, free: 4 << 20 }
}

/// Builds a package whose scripts create, read and change a file. `control` is added to its control file, and
/// `size` is the size of a file in it.
pub(crate) fn package(dir: &Path, architecture: &str, control: &str, size: usize) -> PathBuf {
    let root = dir.join("package");
    let _ = fs::remove_dir_all(&root);
    for path in ["DEBIAN", "usr/share/robot", "etc"] {
        fs::create_dir_all(root.join(path)).unwrap();
    }
    let fields = format!(
        "Package: robot\nVersion: 1.2\nArchitecture: {architecture}\nMaintainer: A <a@example.org>\n{control}\
         Description: a robot\n"
    );
    fs::write(root.join("DEBIAN/control"), fields).unwrap();
    fs::write(root.join("DEBIAN/conffiles"), "/etc/robot.conf\n").unwrap();
    fs::write(root.join("etc/robot.conf"), "speed = 1\n").unwrap();
    let noise: Vec<u8> =
        (0..size as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    fs::write(root.join("usr/share/robot/data"), noise).unwrap();
    fs::write(
        root.join("DEBIAN/postinst"),
        "#!/bin/sh
         set -e
         test -n \"$DPKG_ROOT\"
         test -x \"$DPKG_ROOT/usr/bin/tool\"
         cp \"$DPKG_ROOT/usr/share/read-by-a-script\" \"$DPKG_ROOT/etc/copied\"
         echo after >>\"$DPKG_ROOT/usr/share/changed-by-a-script\"
         rm -f \"$DPKG_ROOT/usr/share/large\"
         setfattr -n security.capability -v 0x0100000200040a00000000000000000000000000 \
             \"$DPKG_ROOT/usr/share/robot/data\"
         chown 1:2 \"$DPKG_ROOT/etc/copied\"
         test ! -e /run/systemd
         touch /var/lib/a-script-was-here 2>/dev/null || true\n",
    )
    .unwrap();
    let out = dir.join(format!("robot_1.2_{architecture}.deb"));
    let build = "find package -type d -exec chmod 755 {} +; chmod 755 package/DEBIAN/postinst
        find package -exec touch -d @1750000000 {} +
        SOURCE_DATE_EPOCH=1750000000 dpkg-deb --root-owner-group -Zgzip --build package \"$0\"";
    let output = command("sh").current_dir(dir).args(["-euc", build]).arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    out
}
