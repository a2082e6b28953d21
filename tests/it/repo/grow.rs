//! A repository over time: only new packages are read, snapshots are kept, and old files are removed.

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::command::{ok, sh};
use support::scratch::scratch;
use testbed::host;

use super::{packages, repo};

#[test]
fn only_new_packages_are_read_and_older_ones_stay() {
    let dir = scratch("repo-grow");
    let out = dir.join("repo");
    packages(&dir.join("one"), "wind", &["1.0.0", "1.1.0"]);
    ok(&mut repo(&dir.join("one"), &out));
    let before = listed(&out);
    // A run that reads these packages again would notice.
    sh(&out, "for f in apt/pool/stable/w/wind/*.deb rpm/stable/packages/wind-*.rpm; do : >$f; done");
    packages(&dir.join("two"), "wind", &["1.2.0"]);
    ok(&mut repo(&dir.join("two"), &out));
    let after = listed(&out);
    assert_eq!(after.len(), before.len() + 2);
    assert!(before.iter().all(|line| after.contains(line)), "{before:#?}\n{after:#?}");
    // The package of keys is unchanged.
    assert!(
        !out.join("apt/pool/stable/r/rovi-services-repository/rovi-services-repository_2.0.0_all.deb")
            .exists()
    );
}

#[test]
fn a_snapshot_stays_as_it_was_and_what_is_withdrawn_goes_a_day_later() {
    host::need(&[("gpgv", "gpgv"), ("gpg", "gpg")]).unwrap();
    let dir = scratch("repo-snapshot");
    let (given, out) = (dir.join("dist"), dir.join("repo"));
    packages(&given, "wind", &["1.0.0", "1.1.0"]);
    ok(repo(&given, &out).arg("--snapshot"));
    sh(&dir, "gpg --dearmor <repo/rovi-services.asc >keys.gpg");
    let name = sh(&out, "cd apt/dists && echo stable-*").trim().to_owned();
    let state = || sh(&out, &format!("find apt/dists/{name} rpm/{name} -type f | sort | xargs sha256sum"));
    let before = state();
    assert!(before.contains("wind-1.1.0-1.noarch.rpm"), "{before}");
    sh(&dir, &format!("gpgv --quiet --keyring ./keys.gpg repo/apt/dists/{name}/InRelease"));
    sh(&out, &format!("grep -qx 'Suite: {name}' apt/dists/{name}/Release"));
    ok(repo(&given, &out).args(["--withdraw", "wind=1.0.0"]));
    packages(&given, "wind", &["1.2.0"]);
    ok(&mut repo(&given, &out));
    ok(repo(&given, &out).args(["--withdraw", "wind=1.2.0"]));
    assert_eq!(state(), before);

    // Clients with the index from before the withdrawal still find the files for a day.
    let pool = |version: &str| out.join(format!("apt/pool/stable/w/wind/wind_{version}_all.deb"));
    let rpm = |version: &str| out.join(format!("rpm/stable/packages/wind-{version}-1.noarch.rpm"));
    let all = [pool("1.0.0"), pool("1.2.0"), rpm("1.0.0"), rpm("1.2.0")];
    assert!(all.iter().all(|path| path.exists()));
    all.iter().for_each(|path| age(path));
    ok(&mut repo(&given, &out));
    // The snapshot refers to the first one.
    assert!(pool("1.0.0").exists() && !pool("1.2.0").exists() && !rpm("1.2.0").exists());
    let files = listed(&out).join("\n");
    assert!(!files.contains("wind_1.0.0") && !files.contains("wind-1.0.0") && files.contains("wind-1.1.0"));
    assert_eq!(state(), before);
}

#[test]
fn suites_are_apart() {
    let dir = scratch("repo-suites");
    let out = dir.join("repo");
    packages(&dir.join("one"), "wind", &["1.0.0"]);
    packages(&dir.join("two"), "wind", &["2.0.0"]);
    ok(&mut repo(&dir.join("one"), &out));
    ok(repo(&dir.join("two"), &out).args(["--suite", "testing", "--valid-for", "14"]));
    let testing = sh(&out, "cat apt/dists/testing/main/binary-amd64/Packages apt/dists/testing/Release");
    assert!(testing.contains("Version: 2.0.0\n") && !testing.contains("pool/stable"), "{testing}");
    assert!(testing.contains("\nValid-Until: "), "{testing}");
    assert!(!listed(&out).iter().any(|line| line.contains("2.0.0")));
    assert!(!sh(&out, "cat apt/dists/stable/Release").contains("Valid-Until"));
    sh(
        &out,
        "grep -qx 'Suites: testing' apt/rovi-services-testing.sources; grep -q testing.sources testing.html",
    );
    sh(&out, "grep -qx 'Suites: stable' apt/rovi-services.sources");
}

/// Returns what the indices refer to, one per line.
fn listed(out: &Path) -> Vec<String> {
    let apt = fs::read_to_string(out.join("apt/dists/stable/main/binary-amd64/Packages")).unwrap();
    let lists = sh(
        &out.join("rpm/stable/repodata"),
        "gzip -dc $(sed -n 's/.*href=\"repodata\\/\\(.*-primary.*\\)\".*/\\1/p' repomd.xml)",
    );
    let packages =
        lists.split("<package ").skip(1).map(|p| p.split("</package>").next().unwrap().replace('\n', " "));
    apt.split("\n\n").filter(|p| !p.is_empty()).map(|p| p.replace('\n', " ")).chain(packages).collect()
}

/// Makes a file two days old.
fn age(path: &Path) {
    let time = SystemTime::now() - Duration::from_secs(2 * 86_400);
    File::open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

/// Web servers compare times in seconds ("304 Not Modified"), and newer clients reject dates in the future.
#[test]
fn two_publications_within_a_second_are_of_two_moments() {
    let dir = scratch("repo-moments");
    let (given, out) = (dir.join("dist"), dir.join("repo"));
    packages(&given, "wind", &["1.0.0"]);
    let mut moments = Vec::new();
    for _ in 0..3 {
        ok(&mut repo(&given, &out));
        let of = |index: &str| {
            let time = fs::metadata(out.join(index)).unwrap().modified().unwrap();
            assert!(time <= SystemTime::now(), "{index} is of the future");
            time.duration_since(UNIX_EPOCH).unwrap().as_secs()
        };
        moments.push((of("apt/dists/stable/InRelease"), of("rpm/stable/repodata/repomd.xml")));
    }
    assert!(moments.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "{moments:?}");
}
