//! Images and packages for the tests, built with the command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{env, fs};

use crate::command::{root, tmp};

/// Installs the emulator; on Debian 12 the newer one from backports, which is twice as fast.
pub fn emulator() {
    testbed::host::need_recent(&[("qemu-system-aarch64", "qemu-system-arm")]).unwrap();
}

/// Installs the emulator and the firmware for UEFI machines.
pub fn firmware() {
    emulator();
    testbed::host::need_recent(&[("qemu-system-x86_64", "qemu-system-x86")]).unwrap();
    let files =
        [("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"), ("/usr/share/AAVMF/AAVMF_CODE.fd", "qemu-efi-aarch64")];
    testbed::host::need(&files).unwrap();
}

/// Returns the flagship product's image for a board.
pub fn image(board: &str) -> PathBuf {
    in_format(board, "img")
}

/// Returns the image in another format.
pub fn in_format(board: &str, format: &str) -> PathBuf {
    // One at a time, because each uses all processors.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let out = tmp().join(format!("{format}-{board}"));
    let locks = locks();
    let words =
        ["image", "rovi", "first-boot", "--board", board, "--format", format, "--locks", &locks, "--out"];
    // A mirror keeps only the newest packages. If the locked ones are gone, use today's.
    let output = command().args(words).arg(&out).output().unwrap();
    let gone =
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("again with --update");
    let paths = if gone {
        xtask(&[&["image", "--update"], &words[1..]].concat(), &out)
    } else {
        printed(&words, output)
    };
    paths.into_iter().find(|path| path.to_str().unwrap().ends_with(&format!(".{format}"))).unwrap()
}

/// Returns the image that CI boots.
pub fn pi4() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| image("pi4"))
}

/// Returns the product's next version, with changed units.
pub fn next() -> PathBuf {
    let first = root().join("catalog/rovi.toml");
    let text = fs::read_to_string(first).unwrap();
    let release =
        "[[release]]\nversion = \"9.0.0\"\ndate = \"2026-12-20\"\nchanges = [\"Next.\"]\n\n[[release]]\n";
    let text = text
        .replacen("[[release]]\n", release, 1)
        .replace("description = \"ROVI ", "description = \"Next ROVI ");
    let folder = tmp().join("image-next");
    fs::create_dir_all(&folder).unwrap();
    let catalog = folder.join("next.toml");
    fs::write(&catalog, text).unwrap();
    let catalog = catalog.to_str().unwrap();
    let target = "aarch64-unknown-linux-musl";
    xtask(&["dist", "--catalog", catalog, "--target", target, "--format", "deb", "--out"], &folder).remove(0)
}

/// Copies the lock files, because tests do not write to the checkout.
pub fn locks() -> String {
    let folder = tmp().join("image-locks");
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(root().join("image")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "lock") {
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    folder.to_str().unwrap().to_owned()
}

pub fn xtask(arguments: &[&str], out: &Path) -> Vec<PathBuf> {
    printed(arguments, command().args(arguments).arg(out).output().unwrap())
}

/// Returns the paths printed by a run that must have succeeded.
fn printed(arguments: &[&str], output: Output) -> Vec<PathBuf> {
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(PathBuf::from).collect()
}

/// Returns the command `cargo xtask` without a subcommand.
pub fn command() -> Command {
    testbed::host::need(&[("curl", "curl"), ("gpgv", "gpgv"), ("keyctl", "keyutils")]).unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).arg("xtask");
    command
}
