//! UEFI machines keep booting the right kernel when kernels change. The image's scripts run as the kernel
//! package runs them, on a folder that represents the machine.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use image::board::{Board, Suite};
use image::files;
use image::root::Content;
use walkdir::WalkDir;
use workspace::Workspace;

use crate::check::Scratch;

const COMES: &str = "/etc/initramfs/post-update.d/z60-boot-partition";
const GOES: &str = "/etc/kernel/postrm.d/z60-boot-partition";

/// A partition with enough space.
const ROOM: &str = "mount --bind /boot/firmware /boot/firmware";

#[test]
fn a_boot_partition_has_the_kernels_that_are_installed() {
    let machine = Robot::new("kernels");
    machine.kernel("6.1", "old");
    machine.run(ROOM, COMES, &["6.1", "/boot/initrd.img-6.1"]);
    let words = "root=PARTUUID=1234abcd-02 rootfstype=ext4 rw fsck.repair=yes rootwait console=tty0 \
                 console=ttyS0,115200";
    let entry = |version: &str, words: &str| {
        format!(
            "title Debian\nversion {version}\nlinux /vmlinuz-{version}\ninitrd /initrd.img-{version}\noptions {words} \n"
        )
    };
    let mut expected = BTreeMap::from([
        ("EFI/BOOT/BOOTX64.EFI".to_owned(), "loader".to_owned()),
        ("initrd.img-6.1".to_owned(), "old initramfs".to_owned()),
        ("loader/entries/6.1.conf".to_owned(), entry("6.1", words)),
        ("loader/loader.conf".to_owned(), "timeout 0\n".to_owned()),
        ("vmlinuz-6.1".to_owned(), "old kernel".to_owned()),
    ]);
    assert_eq!(machine.partition(), expected);

    // A second kernel, with changed parameters and a newer boot loader.
    machine.kernel("6.2", "new");
    machine.write("etc/kernel/cmdline", &format!("{words}\nquiet\n"));
    machine.write("usr/lib/systemd/boot/efi/systemd-bootx64.efi", "younger loader");
    machine.run(ROOM, COMES, &["6.2", "/boot/initrd.img-6.2"]);
    expected.insert("EFI/BOOT/BOOTX64.EFI".to_owned(), "younger loader".to_owned());
    expected.insert("initrd.img-6.2".to_owned(), "new initramfs".to_owned());
    expected.insert("loader/entries/6.2.conf".to_owned(), entry("6.2", &format!("{words} quiet")));
    expected.insert("vmlinuz-6.2".to_owned(), "new kernel".to_owned());
    assert_eq!(machine.partition(), expected);

    // A new initramfs for the same kernel, after a power loss during the previous one.
    machine.kernel("6.2", "newer");
    machine.write("boot/firmware/new/file", "the beginning of an initr");
    machine.run(ROOM, COMES, &["6.2", "/boot/initrd.img-6.2"]);
    expected.insert("initrd.img-6.2".to_owned(), "newer initramfs".to_owned());
    expected.insert("vmlinuz-6.2".to_owned(), "newer kernel".to_owned());
    assert_eq!(machine.partition(), expected);

    // The newer kernel is removed because it failed: the older one must boot.
    fs::remove_file(machine.0.0.join("boot/vmlinuz-6.2")).unwrap();
    machine.run(ROOM, GOES, &["6.2", "/boot/vmlinuz-6.2"]);
    expected.retain(|path, _| !path.contains("6.2"));
    assert_eq!(machine.partition(), expected);
}

#[test]
fn a_boot_partition_that_is_full_or_absent_is_said_and_left_as_it_is() {
    let machine = Robot::new("full");
    machine.kernel("6.1", "old");
    machine.run(ROOM, COMES, &["6.1"]);
    let before = machine.partition();
    machine.kernel("6.2", &"large ".repeat(1 << 16));
    // Space for the kernel only; existing files must remain.
    let full = "mkdir /run/copy && cp -a /boot/firmware/. /run/copy && mount -t tmpfs -o size=512k tmpfs /boot/firmware \
                && cp -a /run/copy/. /boot/firmware && trap 'cp -a /boot/firmware/. /run/copy' EXIT";
    let ended = machine.ended(full, COMES, &["6.2"]);
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && stderr.contains("No space left on device"), "{stderr}");
    let after = files_in(&machine.0.0.join("run/copy"));
    let entries = |tree: &BTreeMap<String, String>| -> Vec<String> {
        tree.keys().filter(|path| path.contains(".conf") || path.contains("new")).cloned().collect()
    };
    assert_eq!(entries(&after), entries(&before));
    assert!(before.iter().all(|(path, content)| after.get(path) == Some(content)), "{after:?}");

    let ended = machine.ended("true", COMES, &["6.2"]);
    assert_eq!(
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()),
        (
            Some(1),
            "error: /boot/firmware: not mounted, cannot copy the kernel: run `mount /boot/firmware` and \
             `update-initramfs -u`\n"
        )
    );
    assert_eq!(machine.partition(), before);
}

/// A folder with the files that the scripts read and write.
struct Robot(Scratch);

impl Robot {
    fn new(name: &str) -> Robot {
        let robot = Robot(Scratch::new(name));
        let workspace = Workspace::find();
        let board = Board::read(&workspace, "generic-amd64").unwrap();
        let suite = Suite::read(&workspace, &board.suite).unwrap();
        for file in files::files(&workspace, &board, &suite, "1234abcd").unwrap() {
            if let Content::Text(text) = &file.content {
                robot.write(&file.path[1..], text);
                let path = robot.0.0.join(&file.path[1..]);
                fs::set_permissions(path, fs::Permissions::from_mode(file.mode)).unwrap();
            }
        }
        robot.write("usr/lib/systemd/boot/efi/systemd-bootx64.efi", "loader");
        for folder in ["boot/firmware", "run/systemd/system"] {
            fs::create_dir_all(robot.0.0.join(folder)).unwrap();
        }
        robot
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn kernel(&self, version: &str, what: &str) {
        self.write(&format!("boot/vmlinuz-{version}"), &format!("{what} kernel"));
        self.write(&format!("boot/initrd.img-{version}"), &format!("{what} initramfs"));
    }

    fn partition(&self) -> BTreeMap<String, String> {
        files_in(&self.0.0.join("boot/firmware"))
    }

    fn run(&self, before: &str, script: &str, arguments: &[&str]) {
        let ended = self.ended(before, script, arguments);
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }

    /// Runs a script in a mount namespace in which the folder's contents cover the host's.
    fn ended(&self, before: &str, script: &str, arguments: &[&str]) -> Output {
        let folders = ["boot", "run", "etc", "usr/lib/systemd"];
        let binds = folders.map(|folder| format!("mount --bind \"$0/{folder}\" /{folder}"));
        let enter = format!("set -e; {}; {before}; \"$@\"", binds.join("; "));
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &enter]).arg(&self.0.0);
        command.arg(script).args(arguments).env("LC_ALL", "C").output().unwrap()
    }
}

fn files_in(folder: &Path) -> BTreeMap<String, String> {
    let entries = WalkDir::new(folder).into_iter().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().is_file());
    let named = |path: &Path| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    files.map(|entry| (named(entry.path()), fs::read_to_string(entry.path()).unwrap())).collect()
}
