//! Installs packages into an image that lacks their dependencies, which come from the image's own suite.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use disk::layout;
use image::bake::{Stock, bake};
use image::board::Suite;
use support::scratch::scratch;
use workspace::Workspace;

use crate::bake::{refused_by, sum, tree};
use crate::debian::{EPOCH, layout, native, package, processor};
use crate::others::{both, command};

/// An archive in a folder, and its lock.
pub(crate) struct Archive<'a> {
    dir: &'a Path,
    lock: String,
}

impl<'a> Archive<'a> {
    pub(crate) fn new(dir: &'a Path) -> Archive<'a> {
        for folder in ["pool", "locks", "cache"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let lock = format!("Suite: trixie\nArchitecture: {}\nDate: {EPOCH}\n", processor());
        Archive { dir, lock }
    }

    /// Opens an existing archive.
    pub(crate) fn found(dir: &'a Path) -> Archive<'a> {
        let lock =
            fs::read_to_string(dir.join("locks").join(format!("trixie-{}.lock", processor()))).unwrap();
        Archive { dir, lock }
    }

    /// Adds a package with a script that runs when it is configured.
    pub(crate) fn put(&mut self, name: &str, fields: &str, script: &str) -> PathBuf {
        let root = self.dir.join(name);
        fs::create_dir_all(root.join("DEBIAN")).unwrap();
        fs::create_dir_all(root.join("usr/share/parts")).unwrap();
        fs::write(root.join("usr/share/parts").join(name), name).unwrap();
        let about = format!("Package: {name}\nVersion: 1\nArchitecture: {}\n{fields}", processor());
        let rest = "Maintainer: A <a@example.org>\nDescription: a part\n";
        fs::write(root.join("DEBIAN/control"), format!("{about}{rest}")).unwrap();
        let postinst = root.join("DEBIAN/postinst");
        fs::write(&postinst, format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
        fs::set_permissions(&postinst, fs::Permissions::from_mode(0o755)).unwrap();
        let deb = self.dir.join(format!("pool/{name}.deb"));
        let mut build = command("dpkg-deb");
        let built = build.args(["--root-owner-group", "-Zgzip", "--build"]).arg(&root).arg(&deb).output();
        let built = built.unwrap();
        assert!(built.status.success(), "{}", both(&built));
        let hash: String = sum(&deb).iter().map(|byte| format!("{byte:02x}")).collect();
        let size = fs::metadata(&deb).unwrap().len();
        self.lock +=
            &format!("\n{about}Pocket: trixie\nFilename: pool/{name}.deb\nSize: {size}\nSHA256: {hash}\n");
        deb
    }

    pub(crate) fn stock(&self) -> Stock<'static> {
        let lock = format!("trixie-{}.lock", processor());
        fs::write(self.dir.join("locks").join(lock), &self.lock).unwrap();
        let mut suite = Suite::read(&Workspace::find(), "trixie").unwrap();
        for pocket in &mut suite.archive.pocket {
            pocket.mirror = format!("file://{}", self.dir.display());
        }
        let (locks, cache) = (self.dir.join("locks"), self.dir.join("cache"));
        Stock { suites: vec![suite], locks, update: None, cache }
    }
}

fn base(dir: &Path) -> PathBuf {
    let path = dir.join("base.img");
    layout::write(&native(), &layout(), &path).unwrap();
    path
}

#[test]
fn a_base_that_lacks_a_dependency_gets_it() {
    let dir = scratch("supply");
    let (base, mut archive) = (base(&dir), Archive::new(&dir));
    archive.put("motors", "Depends: wheels, gone | dpkg\n", "");
    // Works only if the script runs inside its own system; some results must not stay.
    archive.put(
        "wheels",
        "Pre-Depends: axle\n",
        "test -z \"$DPKG_ROOT\"
         test -f /usr/share/parts/axle
         cat /usr/lib/os-release >/etc/wheels
         cat /etc/axle >>/etc/wheels
         cat /proc/uptime >/var/log/wheels.log
         status=0; /usr/sbin/policy-rc.d || status=$?; test $status = 101
         test ! -e /home
         : >/dev/null",
    );
    archive.put("axle", "", "echo configured >/etc/axle");
    archive.put("unasked", "", "");
    let stock = archive.stock();
    let robot = package(&dir, &processor(), "Depends: motors (>= 1), systemd\n", 2000);
    let before = sum(&base);
    let [one, two] = ["one.img", "two.img"].map(|name| dir.join(name));
    for out in [&one, &two] {
        bake(&base, std::slice::from_ref(&robot), &stock, None, out).unwrap();
    }
    assert_eq!(sum(&base), before, "what was given is as it was");
    assert!(sum(&one) == sum(&two), "the same twice");
    let tree = tree(&one);
    let text = |path: &str| String::from_utf8(tree.read(path).unwrap()).unwrap();
    let status = text("/var/lib/dpkg/status");
    for name in ["motors", "wheels", "axle", "robot"] {
        assert!(status.contains(&format!("Package: {name}\nStatus: install ok installed")), "{status}");
    }
    assert!(!status.contains("unasked"));
    assert!(text("/etc/wheels").ends_with("VERSION_CODENAME=trixie\nconfigured\n"));
    assert_eq!(tree.get("/etc/wheels").unwrap().modified.seconds, EPOCH, "no clock goes into an image");
    for path in ["/var/log/wheels.log", "/usr/sbin/policy-rc.d", "/dev/zero", "/run/packages"] {
        assert!(tree.get(path).is_none(), "{path} is not of the image");
    }
    assert!(tree.get("/dev/null").is_some(), "what cannot be made in a namespace stays");
}

/// Runs the other test with such a mount; returns its output and whether it passed.
fn supplied_with(mount: &str) -> (String, bool) {
    let here = format!("mount {mount}; exec \"$0\" --exact supply::a_base_that_lacks_a_dependency_gets_it");
    let mut again = command("unshare");
    again.args(["--mount", "sh", "-euc", &here]).arg(std::env::current_exe().unwrap());
    let output = again.env("RUST_BACKTRACE", "0").output().unwrap();
    (both(&output), output.status.success())
}

/// As on most machines with binfmt_misc: a namespace cannot unmount it separately.
#[test]
fn a_base_gets_it_on_a_machine_with_mounts_below_proc() {
    let (output, passed) = supplied_with("-t binfmt_misc none /proc/sys/fs/binfmt_misc");
    assert!(passed && output.contains(" 1 passed"), "{output}");
}

/// As in some containers, which do not allow a new `/proc`.
#[test]
fn a_container_that_hides_a_part_of_proc_is_told_what_to_do() {
    let (output, passed) = supplied_with("-t tmpfs none /proc/sys/fs");
    assert!(
        !passed && output.contains("cannot mount `/proc` in a user namespace: this container masks"),
        "{output}"
    );
}

#[test]
fn what_cannot_be_added_is_named_in_one_line() {
    let dir = scratch("supply-refused");
    let (base, mut archive) = (base(&dir), Archive::new(&dir));
    archive.put("brakes", "", "echo 'brakes: error: no road' >&2\nexit 3");
    archive.put("young", "Depends: systemd (>= 258)\n", "");
    let replaced = archive.put("replaced", "", "");
    let gone = archive.put("gone", "", "");
    let stock = archive.stock();
    let refused = |needs: &str, stock: &Stock<'_>| {
        let robot = package(&dir, &processor(), &format!("Depends: {needs}\n"), 10);
        refused_by(&base, |out| bake(&base, &[robot], stock, None, out))
    };
    let lock = format!("`locks/trixie-{}.lock`", processor());
    let what_to_do = "install them in the image first, or build without --base";
    let lacks = |what: &str, why: &str| {
        format!("`DIR/base.img`: lacks required packages: {what}: {why}: {what_to_do}")
    };
    let chosen = "cannot resolve the packages (run again with --update)";
    assert_eq!(
        refused("absent | not-there", &stock),
        lacks("absent or not-there", &format!("{chosen}: absent or not-there: not in {lock}"))
    );
    assert_eq!(
        refused("young", &stock),
        lacks("young", &format!("{chosen}: young needs systemd (>= 258): not in {lock}"))
    );
    // With the same length, so that only the hash differs.
    let mut bytes = fs::read(&replaced).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&replaced, bytes).unwrap();
    let error = refused("replaced", &stock);
    assert!(error.contains("replaced 1: wrong hash: `file://DIR/pool/replaced.deb`"), "{error}");
    assert!(error.ends_with(what_to_do), "{error}");
    fs::remove_file(gone).unwrap();
    let error = refused("gone", &stock);
    assert!(error.contains("cannot fetch gone 1 from `file://DIR/pool/gone.deb`"), "{error}");
    let error = refused("brakes", &stock);
    assert!(error.contains("lacks required packages: brakes: cannot install them"), "{error}");
    assert!(error.contains("brakes: error: no road"), "{error}");

    let mut others = archive.stock();
    others.suites[0].distribution = "another".to_owned();
    assert_eq!(
        refused("motors", &others),
        lacks("motors", "its release `debian trixie` is unknown: expected one of another trixie")
    );
    others.suites[0].distribution = "debian".to_owned();
    others.locks = dir.join("nowhere");
    let none = format!("`nowhere/trixie-{}.lock`: no such lock file: run again with --update", processor());
    assert_eq!(refused("motors", &others), lacks("motors", &none));
}
