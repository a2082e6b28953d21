//! Power loss: during a card's first boot, and during a package upgrade. The machine boots again and finishes
//! what it started.
//!
//! A moment is a number of console lines plus part of a second, from a seed that is printed.

use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use disk::mbr;
use support::made;
use trial::boot::emulator::Event;
use trial::boot::{Options, Phase, Trial};
use workspace::Workspace;

/// Console lines of a first boot, and of a package upgrade.
const BOOT_LINES: u64 = 130;
const UPGRADE_LINES: u64 = 12;

/// First console line of the upgrade.
const UPGRADE: &str = "boot-test: upgrade";

const LONGEST: Duration = Duration::from_secs(600);

#[test]
fn a_card_survives_three_cuts() {
    // Always about the same moments; the last one is while the package's files are written, which once
    // failed.
    let mut moments = Moments::new(seed().unwrap_or(252_133_042));
    let trial = card();
    cut(&trial, Phase::Boot, &mut moments);
    cut(&trial, Phase::Boot, &mut moments);
    cut(&trial, Phase::Upgrade, &mut moments);
    finishes(&trial, Phase::Upgrade, &moments);
}

/// A file system with a detected error is mounted but stays damaged unless it is repaired first.
#[test]
fn what_a_cut_has_broken_is_mended_by_the_next_boot() {
    testbed::host::need(&[("/usr/sbin/debugfs", "e2fsprogs")]).unwrap();
    let trial = card();
    let root = mbr::read(&File::open(trial.card()).unwrap()).unwrap().partitions[1];
    let debugfs = |request: &str| {
        let place = format!("{}?offset={}", trial.card().display(), root.at);
        let output = Command::new("/usr/sbin/debugfs").args(["-w", "-R", request, &place]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(stderr.lines().count(), 1, "not its version alone: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    };
    let has_errors = || debugfs("show_super_stats -h").contains("clean with errors\n");
    let is_found = || debugfs("ls -p /lost+found").contains("/#");
    // A file without a folder, and the flag that the kernel sets when it finds one.
    debugfs("unlink /usr/share/zoneinfo/Africa/Abidjan");
    debugfs("set_super_value state 3");
    assert!(has_errors() && !is_found());
    let report = trial.run(Phase::Boot).unwrap();
    assert!(!has_errors() && is_found(), "is as it was: {report}");
    assert!(report.good, "{report}");
}

/// Power is cut in each card's first boot, and then in the upgrade during the boot that finishes it. The last
/// boot finishes the upgrade and answers every probe.
#[test]
#[ignore = "sixty cuts: half an hour"]
fn cards_survive_thirty_cuts_each_way() {
    let seed = seed().unwrap_or_else(|| u64::from(std::process::id()) * 7919 + 1);
    eprintln!("POWER_CUT_SEED={seed}");
    let left = AtomicU64::new(30);
    let cards = |number: u64| {
        let mut moments = Moments::new(seed + number);
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
            let trial = card();
            cut(&trial, Phase::Boot, &mut moments);
            cut(&trial, Phase::Upgrade, &mut moments);
            finishes(&trial, Phase::Upgrade, &moments);
        }
    };
    // In parallel, because a boot mostly uses one processor.
    std::thread::scope(|scope| (0..2).map(|n| scope.spawn(move || cards(n))).for_each(drop));
}

fn card() -> Trial {
    made::emulator();
    let options =
        Options { board: None, products: vec!["rovi".to_owned()], next: Some(made::next()), on_board: false };
    Trial::prepare(&Workspace::find(), made::pi4(), &options).unwrap()
}

fn finishes(trial: &Trial, phase: Phase, moments: &Moments) {
    let report = trial.run(phase).unwrap_or_else(|error| panic!("seed {}: {error:#}", moments.seed));
    assert!(report.good, "seed {}: {report}", moments.seed);
}

/// Boots the card and cuts the power.
fn cut(trial: &Trial, phase: Phase, moments: &mut Moments) {
    let (lines, rest) = moments.next(if phase == Phase::Boot { BOOT_LINES } else { UPGRADE_LINES });
    let mut machine = trial.start(phase).unwrap();
    let end = Instant::now() + LONGEST.mul_f64(testbed::host::busy());
    let mut counted = 0;
    let mut counting = phase == Phase::Boot;
    while counted < lines {
        match machine.next(end) {
            Event::Console(line) => {
                counting |= line.contains(UPGRADE);
                counted += u64::from(counting);
            }
            // The boot ended before the moment; the end counts as a moment too.
            Event::Report(line) if line.contains("\"end\"") => break,
            Event::Report(_) => {}
            Event::Ended | Event::OutOfTime => {
                panic!("seed {}: no boot to cut:\n{}", moments.seed, machine.tail())
            }
        }
    }
    let moment = Instant::now() + rest;
    while !matches!(machine.next(moment), Event::OutOfTime | Event::Ended) {}
    eprintln!("cut {phase:?} after {counted} lines and {} ms", rest.as_millis());
    machine.kill();
}

/// The seed to reproduce a run.
fn seed() -> Option<u64> {
    std::env::var("POWER_CUT_SEED").ok()?.parse().ok()
}

/// The moments of power loss; `POWER_CUT_SEED` reproduces them.
struct Moments {
    seed: u64,
    state: u64,
}

impl Moments {
    fn new(seed: u64) -> Moments {
        Moments { seed, state: seed }
    }

    fn next(&mut self, lines: u64) -> (u64, Duration) {
        // Knuth's multiplier; the upper bits are the random ones.
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bits = self.state >> 33;
        (1 + bits % lines, Duration::from_millis(bits / lines % 300))
    }
}
