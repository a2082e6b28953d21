//! `cargo xtask dist`: the packages and files that integrators and CI get.

mod faults;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::command::{dist, ok, root, sh, target, xtask};
use support::scratch::scratch;

#[test]
fn prints_four_packages_of_a_product_and_records_them() {
    let dist = dist();
    let names: Vec<&str> = dist.paths.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
    let own: Vec<&&str> = names.iter().filter(|n| n.starts_with("rovi-services")).collect();
    assert_eq!(
        own,
        [
            &"rovi-services-0.1.0-1.aarch64.rpm",
            &"rovi-services-0.1.0-1.x86_64.rpm",
            &"rovi-services_0.1.0_amd64.deb",
            &"rovi-services_0.1.0_arm64.deb"
        ]
    );
    let checked = sh(&dist.dir, "sha256sum --strict --check SHA256SUMS");
    assert_eq!(
        checked.lines().count(),
        names.len() * 2,
        "every package and its bill of materials:\n{checked}"
    );
    let manifest: Value = serde_json::from_slice(&fs::read(dist.dir.join("manifest.json")).unwrap()).unwrap();
    let listed: Vec<&str> =
        manifest["packages"].as_array().unwrap().iter().map(|p| p["file"].as_str().unwrap()).collect();
    assert_eq!(listed.len(), names.len());
    assert!(names.iter().all(|n| listed.contains(n)), "{listed:?}");
}

#[test]
fn a_bill_of_materials_names_what_is_linked_and_nothing_else() {
    let dist = dist();
    let deb = dist.package("rovi-services", "amd64.deb");
    let bill: Value =
        serde_json::from_slice(&fs::read(format!("{}.cdx.json", deb.display())).unwrap()).unwrap();
    // What cargo linked for that processor, without build programs and macros.
    let built = ok(Command::new(env!("CARGO")).current_dir(root()).args([
        "build",
        "--locked",
        "--release",
        "--bins",
        "--package=first-boot",
        "--package=notify-helper",
        "--package=rovi",
        "--package=run_stack",
        "--message-format",
        "json",
        "--target",
        "x86_64-unknown-linux-musl",
    ]));
    let artifacts = built.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let for_target = |a: &Value| a["filenames"].to_string().contains("/x86_64-unknown-linux-musl/release/");
    let name = |a: Value| {
        let id = a["package_id"].as_str()?.rsplit_once('#')?.1.to_owned();
        a["reason"].as_str().filter(|r| *r == "compiler-artifact").map(|_| id)
    };
    let mut linked: Vec<String> =
        artifacts.filter(for_target).filter_map(name).filter(|id| id.contains('@')).collect();
    linked.sort();
    linked.dedup();
    let component = |c: &Value| format!("{}@{}", c["name"].as_str().unwrap(), c["version"].as_str().unwrap());
    let mut listed: Vec<String> = bill["components"].as_array().unwrap().iter().map(component).collect();
    listed.sort();
    let standard: Vec<String> = listed.iter().filter(|n| n.starts_with("rust-std@")).cloned().collect();
    assert_eq!(standard.len(), 1);
    listed.retain(|n| !standard.contains(n));
    assert_eq!(listed, linked);
    assert_eq!(bill["bomFormat"], "CycloneDX");
    let sum = sh(root(), &format!("sha256sum {} | cut -c 1-64", deb.display()));
    assert_eq!(bill["metadata"]["component"]["hashes"][0]["content"], sum.trim());
    for component in bill["components"].as_array().unwrap() {
        assert!(
            component["licenses"][0]["expression"].as_str().is_some_and(|l| !l.is_empty()),
            "{component}"
        );
    }
}

#[test]
fn a_deb_verifies_its_files_by_md5sums() {
    let deb = dist().package("rovi-services", "amd64.deb").to_owned();
    let dir = scratch("md5sums");
    let script = format!(
        "dpkg-deb -R {} x; cd x; md5sum --strict --check DEBIAN/md5sums | wc -l; find . -type f | grep -vc DEBIAN",
        deb.display()
    );
    let counts = sh(&dir, &script);
    let counts: Vec<&str> = counts.split_whitespace().collect();
    assert_eq!(counts[0], counts[1], "a sum for every file");
}

#[test]
fn an_rpm_says_what_it_is() {
    testbed::host::need(&[("rpm", "rpm")]).unwrap();
    let rpm = dist().package("rovi-services", "x86_64.rpm").to_owned();
    assert!(ok(Command::new("rpm").arg("--checksig").arg(&rpm)).contains("digests OK"));
    let query =
        "%{NAME}|%{VERSION}|%{RELEASE}|%{LICENSE}|%{BUILDHOST}|%{BUILDTIME}|%{CHANGELOGTEXT}|%{DESCRIPTION}";
    let said = ok(Command::new("rpm").args(["-qp", "--qf", query]).arg(&rpm));
    assert!(
        said.starts_with(
            "rovi-services|0.1.0|1|MIT OR Apache-2.0|reproducible|1795132800|- First release.|The gateway of"
        ),
        "{said}"
    );
    assert!(said.ends_with("An upgrade never stops a running stack."), "{said}");
    let config = ok(Command::new("rpm").args(["-qp", "--configfiles"]).arg(&rpm));
    assert_eq!(config, "/etc/needrestart/conf.d/50-rovi.conf\n/etc/rovi/.env.pc\n/etc/rovi/.env.robot\n");
    let flags =
        ok(Command::new("rpm").args(["-qp", "--qf", "[%{FILEFLAGS:fflags} %{FILENAMES}\n]"]).arg(&rpm));
    assert_eq!(flags.lines().filter(|l| l.starts_with("cn /etc/")).count(), 3, "noreplace:\n{flags}");
}

#[test]
fn both_formats_hold_the_same_files() {
    testbed::host::need(&[("rpm", "rpm")]).unwrap();
    let dist = dist();
    let deb = sh(
        &dist.dir,
        &format!(
            "dpkg-deb -c {} | awk '!/\\/$/ {{print $1, substr($6, 2)}}' | sort",
            dist.package("rovi-services", "arm64.deb").display()
        ),
    );
    let rpm = sh(
        &dist.dir,
        &format!(
            "rpm -qp --qf '[%{{FILEMODES:perms}} %{{FILENAMES}}\\n]' {} | sort",
            dist.package("rovi-services", "aarch64.rpm").display()
        ),
    );
    // Copyright, changelog and lint overrides differ between the formats.
    let own = |line: &&str| {
        !["/usr/share/doc/", "/usr/share/lintian/", "/usr/share/licenses/"].iter().any(|p| line.contains(p))
    };
    let (deb, rpm): (Vec<&str>, Vec<&str>) =
        (deb.lines().filter(own).collect(), rpm.lines().filter(own).collect());
    assert_eq!(deb, rpm);
}

#[test]
fn the_programs_are_small_and_need_no_library() {
    for (ending, machine) in [("amd64.deb", "X86-64"), ("arm64.deb", "AArch64")] {
        let dir = scratch(&format!("programs-{machine}"));
        for package in ["rovi-services", "rovi-first-boot"] {
            sh(&dir, &format!("dpkg-deb -x {} .", dist().package(package, ending).display()));
        }
        for (program, most) in [
            ("rovi/run_stack", 700_000),
            ("rovi/notify-helper", 700_000),
            // Contains a TOML parser that records line numbers.
            ("first-boot/first-boot", 850_000),
            ("rovi/rovi", 3_000_000),
        ] {
            let path = dir.join("usr/libexec").join(program);
            let bytes = fs::read(&path).unwrap();
            assert!(bytes.len() < most, "{program} for {machine}: {} bytes", bytes.len());
            // Only one program contains a D-Bus library; the others must not.
            let has_library = bytes.windows(6).any(|w| w == b"zbus::");
            assert_eq!(has_library, program == "rovi/rovi", "{program} for {machine}");
            let headers = ok(Command::new("readelf").args(["-hlS", "--wide"]).arg(&path));
            assert!(headers.contains(machine), "{headers}");
            assert!(!headers.contains("INTERP") && !headers.contains(".comment"), "{headers}");
        }
    }
}

#[test]
fn a_sixth_stack_is_one_table() {
    testbed::host::need(&[("rpm2cpio", "rpm2cpio"), ("cpio", "cpio")]).unwrap();
    let dir = scratch("sixth");
    let catalog = fs::read_to_string(root().join("catalog/rovi.toml")).unwrap();
    let table = "\n[service.docking]\nuse = \"stack\"\ndescription = \"ROVI stack: drive home and charge\"\n";
    fs::write(dir.join("rovi.toml"), catalog + table).unwrap();
    let paths = ok(xtask(&["dist", "--target", "x86_64-unknown-linux-musl", "--catalog"])
        .arg(dir.join("rovi.toml"))
        .arg("--out")
        .arg(dir.join("dist")));
    assert_eq!(paths.lines().count(), 2);
    for (package, unpack) in [(".deb", "dpkg-deb -x $P ."), (".rpm", "rpm2cpio $P | cpio -id --quiet")] {
        let path = paths.lines().find(|p| p.ends_with(package)).unwrap();
        let files = dir.join(package.trim_start_matches('.'));
        fs::create_dir_all(&files).unwrap();
        sh(&files, &unpack.replace("$P", path));
        let read = |path: &str| {
            fs::read_to_string(files.join(path)).unwrap_or_else(|e| panic!("{package}: {path}: {e}"))
        };
        let unit = read("usr/lib/systemd/system/rovi-docking.service");
        assert!(
            unit.contains("ExecStart=/usr/libexec/rovi/run_stack docking\n")
                && unit.contains("After=rovi-gateway.service ")
                && unit.contains("DefaultDependencies=no\n"),
            "{unit}"
        );
        assert!(read("usr/share/polkit-1/rules.d/50-rovi.rules").contains("\"rovi-docking.service\""));
        let table: Value = serde_json::from_str(&read("usr/share/rovi/services.json")).unwrap();
        let row = table["services"].as_array().unwrap().iter().find(|s| s["name"] == "docking").unwrap();
        assert_eq!(row["launch"]["argv"][6], "stack:=docking");
        assert_eq!(row["launch"]["lock"], "/run/rovi/stack.lock");
        let page = sh(&files, "gzip -dc usr/share/man/man7/rovi-services.7.gz");
        assert!(page.contains(".B rovi\\-docking.service\nROVI stack: drive home and charge."), "{page}");
        assert!(read("etc/needrestart/conf.d/50-rovi.conf").contains("docking"));
    }
}

#[test]
fn a_package_that_was_packed_before_is_taken_if_it_is_whole() {
    let dir = scratch("packed");
    let catalog = WEATHER.replace("name = \"weather\"", "name = \"packed\"");
    fs::write(dir.join("packed.toml"), catalog).unwrap();
    let sums = |out: &str| {
        let words = ["dist", "--target", "x86_64-unknown-linux-musl", "--catalog"];
        ok(xtask(&words).arg(dir.join("packed.toml")).arg("--out").arg(dir.join(out)));
        fs::read_to_string(dir.join(out).join("SHA256SUMS")).unwrap()
    };
    let folder = target().join("stage/packed/packed");
    let kept = || {
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
        let mut kept: Vec<_> = entries.map(|e| (e.path(), e.metadata().unwrap())).collect();
        // The checksum of each is beside it.
        assert_eq!(kept.iter().filter(|(path, _)| path.extension().is_some()).count() * 2, kept.len());
        kept.retain(|(path, _)| path.extension().is_none());
        kept.sort_by_key(|(path, _)| path.clone());
        kept
    };
    let _ = fs::remove_dir_all(&folder);
    let first = sums("first");
    let before = kept();
    assert_eq!(before.len(), 2);
    // A partial file, as after a power loss; the other file has not been used for a week.
    let half = before[0].1.len() / 2;
    fs::File::options().write(true).open(&before[0].0).unwrap().set_len(half).unwrap();
    fs::write(folder.join("old"), "").unwrap();
    sh(&folder, "touch -d '8 days ago' old");
    assert_eq!(sums("second"), first);
    let after = kept();
    assert_eq!(after.len(), 2, "{after:?}");
    let inode = |(_, meta): &(_, fs::Metadata)| meta.ino();
    assert_eq!(after[0].1.len(), before[0].1.len());
    assert_ne!(inode(&after[0]), inode(&before[0]), "made anew");
    assert_eq!(inode(&after[1]), inode(&before[1]), "taken");
}

#[test]
fn a_product_nobody_here_has_heard_of_becomes_packages() {
    let dir = scratch("elsewhere");
    fs::write(dir.join("weather.toml"), WEATHER).unwrap();
    let paths =
        ok(xtask(&["dist", "--catalog"]).arg(dir.join("weather.toml")).arg("--out").arg(dir.join("dist")));
    let names: Vec<&str> =
        paths.lines().map(|p| Path::new(p).file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(
        names,
        ["weather-station-1.2.0~rc.1-1.noarch.rpm", "weather-station_1.2.0~rc.1_all.deb"],
        "one for every processor, because it has no program"
    );
    let rpm: Value =
        serde_json::from_slice(&fs::read(dir.join("dist").join(format!("{}.cdx.json", names[0]))).unwrap())
            .unwrap();
    assert_eq!(
        rpm["metadata"]["component"]["purl"], "pkg:rpm/weather-station@1.2.0~rc.1?arch=noarch",
        "named as the package is"
    );
    let deb = dir.join("dist").join(names[1]);
    let files =
        sh(&dir, &format!("dpkg-deb -c {} | awk '!/\\/$/ {{print substr($6, 2)}}' | sort", deb.display()));
    assert_eq!(
        files,
        "/usr/lib/systemd/system-preset/50-weather.preset
/usr/lib/systemd/system/weather-reader.service
/usr/lib/sysusers.d/weather.conf
/usr/lib/tmpfiles.d/weather.conf
/usr/share/doc/weather-station/changelog.gz
/usr/share/doc/weather-station/copyright
/usr/share/man/man7/weather-station.7.gz
/usr/share/polkit-1/rules.d/50-weather.rules
/usr/share/weather/drop-in.conf
/usr/share/weather/services.json
"
    );
    let checked = ok(xtask(&["check", "--catalog"]).arg(dir.join("weather.toml")));
    assert_eq!(checked, "");
}

const WEATHER: &str = r#"
[product]
name = "weather"
package = "weather-station"
summary = "reads the wind and writes it down"
description = "Nothing else."
maintainer = "Ana Meteo <ana@example.org>"
license = "GPL-3.0-or-later"
copyright = "2026 Ana Meteo"
homepage = "https://example.org/weather"

[[release]]
version = "1.2.0-rc.1"
date = "2026-11-02"
changes = ["Reads gusts."]

[account.weather]
description = "Weather station"
home = "/var/lib/weather"

[service.reader]
description = "Wind reader"
exec = ["/usr/bin/python3", "-m", "weather", "--place", "the roof"]
user = "weather"
boot = true
restart = "always"
restart-sec = "10s"
"#;
