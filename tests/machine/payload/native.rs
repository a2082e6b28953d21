//! A program that was built elsewhere for a distribution: it needs shared libraries of the machine.

use std::fs;
use std::process::Command;

use support::command::{ok, sh};
use support::packages::dist;
use support::scratch::scratch;
use testbed::{Machine, Result, Suite, at_once};

use super::{SOON, of_format};

const CATALOG: &str = r#"
[product]
name = "native"
package = "native-services"
summary = "program with libraries"
description = "A program that needs libraries of the machine."
maintainer = "Team <team@example.org>"
license = "MIT"
copyright = "2026 Team"
homepage = "https://example.org/native"

[[release]]
version = "1.0.0"
date = "2026-11-20"
changes = ["First release."]

[account.native]
description = "Native"

[payload.program]
files = "program"

[service.native]
description = "Native"
user = "native"
type = "oneshot"
exec = ["${payload.program}/native"]
directives.Service = { RemainAfterExit = "yes" }
"#;

#[test]
fn a_program_brings_its_dependencies_and_each_is_needed() -> Result<()> {
    let dir = scratch("native");
    fs::create_dir(dir.join("program")).unwrap();
    for (path, text) in [
        ("native.toml", CATALOG),
        // What a program is linked with elsewhere has the name of the real library.
        ("stub.c", "int mosquitto_lib_version(int *a, int *b, int *c) { return *a = *b = *c = 0; }\n"),
        ("own.c", "const char *own(void) { return \"own\"; }\n"),
        (
            "native.cpp",
            "#include <iostream>\n\
             extern \"C\" int mosquitto_lib_version(int *, int *, int *);\n\
             extern \"C\" const char *own(void);\n\
             int main() { int a, b, c; mosquitto_lib_version(&a, &b, &c);\n\
             std::cout << own() << \" with version \" << a << std::endl; }\n",
        ),
    ] {
        fs::write(dir.join(path), text).unwrap();
    }
    sh(
        &dir,
        "cc -shared -o libmosquitto.so -Wl,-soname,libmosquitto.so.1 stub.c
         cc -shared -o program/libown.so.1 -Wl,-soname,libown.so.1 own.c
         c++ -o program/native native.cpp libmosquitto.so program/libown.so.1 -Wl,-rpath,'$ORIGIN'",
    );
    let packages = dist(&["--catalog", dir.join("native.toml").to_str().unwrap()], "native-dist");
    let deb = of_format(&packages, "deb");
    let depends = ok(Command::new("dpkg-deb").args(["--field"]).arg(deb).arg("Depends"));
    let mut depends: Vec<&str> = depends.trim().split(", ").collect();
    depends.retain(|relation| !relation.starts_with("systemd"));
    let names: Vec<&str> = depends.iter().map(|relation| relation.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["libc6", "libmosquitto1", "libstdc++6"], "{depends:?}");
    assert!(depends[0].starts_with("libc6 (>= 2."), "{depends:?}");
    let rpm = ok(Command::new("rpm").args(["-qp", "--requires"]).arg(of_format(&packages, "rpm")));
    for need in ["libmosquitto.so.1()(64bit)", "libc.so.6()(64bit)", "libstdc++.so.6(GLIBCXX_3.4)(64bit)"] {
        assert!(rpm.lines().any(|line| line == need), "{need}: {rpm}");
    }
    assert!(!rpm.contains("libown"), "{rpm}");

    at_once(Suite::STABLE, |suite| {
        let machine = Machine::on(suite).with(&["libmosquitto1"]).boot()?;
        machine.install(deb).ok();
        machine.run("systemctl start native").ok();
        let said = machine.wait_for("its words", SOON, || {
            let journal = machine.journal_of("native");
            journal.lines().find(|line| line.contains("own with version")).map(str::to_owned)
        });
        assert!(said.ends_with("version 2"), "{said}");
        // Without it, the loader fails, and nothing else is missing.
        machine.run("dpkg --remove --force-depends libmosquitto1").ok();
        let missing = machine.run("ldd /usr/lib/native/program/native | grep 'not found'").ok();
        assert_eq!(missing.text().trim(), "libmosquitto.so.1 => not found");
        machine.run("/usr/lib/native/program/native").fails().says("libmosquitto.so.1");
        // dpkg knows it.
        machine.run("dpkg --configure --pending; apt-get check").fails().says("libmosquitto1");
        Ok(())
    })
}
