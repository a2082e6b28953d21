//! A finished image boots, and all probes are answered as expected.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;
use support::made::{self, command};
use trial::boot::{Options, Phase, Trial};
use workspace::Workspace;

use crate::check::Scratch;
use crate::sample::Sample;

#[test]
fn a_robot_boots_from_the_image_for_a_pi_4() {
    made::emulator();
    boots(made::pi4(), &[], "virt");
}

/// Its kernel comes from another pocket and needs its own root.
#[test]
fn a_robot_boots_from_the_image_for_a_pi_5() {
    made::emulator();
    boots(&made::image("pi5"), &[], "virt");
}

/// The only board with an emulator model, with its own device tree and card slot.
#[test]
#[ignore = "a board that is emulated whole: five minutes"]
fn a_robot_boots_on_a_pi_3() {
    made::emulator();
    boots(&made::image("pi3"), &["--on-board"], "raspi3b");
}

/// Runs without emulation if the host has the same processor.
#[test]
#[ignore = "two boots of a PC through its firmware, and the making of its root: five minutes"]
fn a_robot_starts_from_a_stick_in_a_pc() {
    starts_by_firmware("generic-amd64", "q35-uefi");
}

#[test]
#[ignore = "two boots through a firmware, and the making of a root: five minutes"]
fn a_robot_starts_from_a_stick_in_an_arm_with_uefi() {
    starts_by_firmware("generic-arm64", "virt-uefi");
}

#[test]
#[ignore = "two more machines and roots: five minutes"]
fn robots_boot_on_other_machines() {
    made::firmware();
    boots(&made::image("generic-amd64"), &[], "q35");
    boots(&made::image("generic-arm64"), &[], "virt");
}

/// Boots through the firmware, which only knows the card, and once more from a kernel installed on first
/// boot.
fn starts_by_firmware(board: &str, machine: &str) {
    made::firmware();
    let options = Options { board: None, products: vec!["rovi".to_owned()], next: None, on_board: true };
    let trial = Trial::prepare(&Workspace::find(), &made::image(board), &options).unwrap();
    for _ in 0..2 {
        let report = trial.run(Phase::Boot).unwrap();
        assert!(report.good, "{report}");
        assert_eq!(report.machine, machine);
        let asked: Vec<&str> = report.answers.iter().map(|answer| answer.probe.as_str()).collect();
        for probe in ["boot loader", "newest kernel was started", "remove and install a kernel"] {
            assert!(asked.contains(&probe), "{asked:?}");
        }
    }
}

pub(crate) fn boots(image: &Path, arguments: &[&str], machine: &str) {
    let state = || {
        let meta = image.metadata().unwrap();
        (meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec())
    };
    let before = state();
    let tested = command().args(["image", "rovi", "--test"]).arg(image).args(arguments).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&tested.stdout), String::from_utf8_lossy(&tested.stderr));
    assert!(tested.status.success(), "{stdout}{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&report["machine"], &report["good"]), (&machine.into(), &true.into()), "{report:#}");
    let asked: Vec<&str> =
        report["answers"].as_array().unwrap().iter().filter_map(|a| a["probe"].as_str()).collect();
    for probe in ["boot", "failed units", "root has grown", "secrets are wiped", "gateway", "start", "stop"] {
        assert!(asked.contains(&probe), "{asked:?}");
    }
    assert_eq!(state(), before, "the image itself was written to");
}

/// Input that cannot be tested is refused in one line before anything boots.
#[test]
fn what_is_no_image_is_refused() {
    let folder = Scratch::new("refused");
    let good = Sample::new().write(&folder.0);
    let other = folder.0.join("rovi-pi4-1.img.xz");
    std::fs::write(&other, b"\xfd7zXZ\0\0\0 and then nothing").unwrap();
    let zeros = folder.0.join("rovi-pi4-1.img");
    std::fs::File::create(&zeros).unwrap().set_len(1 << 20).unwrap();
    let absent = folder.0.join("absent-pi4-1.img");
    for (file, arguments, expected) in [
        (
            &good,
            &[][..],
            "cannot tell its board from its name: add --board with one of generic-amd64, generic-arm64, pi3, pi4, pi5",
        ),
        (
            &good,
            &["--board", "pi9"],
            "unknown board `pi9`: expected one of generic-amd64, generic-arm64, pi3, pi4, pi5",
        ),
        (
            &good,
            &["--board", "pi4", "--on-board"],
            "the emulator has no model of a pi4: test without --on-board",
        ),
        (&other, &[], "damaged or truncated: download it again"),
        (&zeros, &[], "no partition table: name a complete raw image"),
        (&absent, &[], "cannot read `"),
    ] {
        let tested = command().args(["image", "--test"]).arg(file).args(arguments).output().unwrap();
        let complaint = String::from_utf8_lossy(&tested.stderr);
        let lines: Vec<&str> = complaint.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(!tested.status.success() && lines.len() == 1 && lines[0].contains(expected), "{complaint}");
    }
    // Every fault of an image has its own line.
    let tested = command().args(["image", "--board", "pi4", "--test"]).arg(&good).output().unwrap();
    let complaint = String::from_utf8_lossy(&tested.stderr).into_owned();
    assert!(complaint.contains("\n  boot partition: `fixup4.dat` does not exist\n"), "{complaint}");
    assert_eq!(tested.status.code(), Some(1));
}
