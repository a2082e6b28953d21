//! A Python application from a lock: one package serves the Python of every release.

use std::fs;
use std::process::Command;

use support::command::{ok, root};
use support::packages::dist;
use support::scratch::scratch;
use testbed::{Machine, Result, Suite, at_once};

use super::{SOON, of_format};

const CATALOG: &str = r#"
[product]
name = "greeter"
package = "greeter-services"
summary = "greeting in Python"
description = "A Python application with dependencies."
maintainer = "Team <team@example.org>"
license = "MIT"
copyright = "2026 Team"
homepage = "https://example.org/greeter"

[[release]]
version = "1.0.0"
date = "2026-11-20"
changes = ["First release."]

[account.greeter]
description = "Greeter"
home = "/var/lib/greeter"

[payload.app]
python = { lock = "pylock.toml", versions = ["3.11", "3.13"], exclude = ["tests"] }

[service.greeter]
description = "Greeter"
user = "greeter"
type = "oneshot"
exec = ["${payload.app}/bin/greet"]
directives.Service = { RemainAfterExit = "yes" }
"#;

#[test]
fn one_package_serves_the_python_of_every_release() -> Result<()> {
    let dir = scratch("greeter");
    let wheels = root().join("tests/machine/payload/wheels.py");
    ok(Command::new("python3")
        .env("PYTHONPATH", root().join("tests/support"))
        .arg("-B")
        .arg(wheels)
        .arg(&*dir));
    fs::write(dir.join("greeter.toml"), CATALOG).unwrap();
    let packages = dist(&["--catalog", dir.join("greeter.toml").to_str().unwrap()], "greeter-dist");
    let deb = of_format(&packages, "deb");
    let depends = ok(Command::new("dpkg-deb").args(["--field"]).arg(deb).arg("Depends"));
    for need in
        ["python3 (<< 3.14)", "python3 (>= 3.11)", "python3 (<< 3.12) | python3 (>= 3.13)", "libc6 (>= 2."]
    {
        assert!(depends.contains(need), "{depends}");
    }
    at_once(Suite::STABLE, |suite| {
        let (tag, word) = if suite == Suite::Bookworm { ("311", "old") } else { ("313", "new") };
        let machine = Machine::on(suite).boot()?;
        machine.install(deb).ok();
        machine.run("systemctl start greeter").ok();
        let expected = format!("&lt;hello&gt; {tag} {word} later /usr/lib/greeter/app");
        machine.wait_for(&expected, SOON, || machine.journal_of("greeter").contains(&expected));
        assert_eq!(machine.run("/usr/lib/greeter/app/bin/greet-script").ok().text(), "script");
        assert_eq!(machine.read("/usr/lib/greeter/app/share/greet/words").unwrap(), "words\n");
        // Byte code is kept where the service can write, and nothing is written beside the modules.
        machine.run("find /usr/lib/greeter -name __pycache__ | grep .").fails();
        let kept = "/var/cache/greeter/greeter/usr/lib/greeter/app/lib/shared/greet";
        machine.run(&format!("test $(stat -c %U {kept}/main.cpython-{tag}.pyc) = greeter")).ok();
        // An older file of the same date and size must not run in the place of a new one.
        machine.run("/usr/lib/greeter/app/bin/greet >/dev/null; test -d /usr/lib/greeter/app/lib/shared/greet/__pycache__").ok();
        let file = deb.file_name().unwrap().to_str().unwrap();
        machine.run(&format!("systemctl stop greeter; dpkg --install /var/tmp/{file}")).ok();
        machine.run("find / -xdev -name main.cpython-*.pyc -path '*greet*' | grep .").fails();
        machine.run("find /usr/lib/greeter -name tests | grep .").fails();
        let copyright = machine.read("/usr/share/doc/greeter-services/copyright").unwrap();
        let markupsafe =
            "Files: usr/lib/greeter/app/lib/*/markupsafe-*\nCopyright: the authors of markupsafe 3.0.2\n";
        assert!(
            copyright.contains(markupsafe)
                && copyright.contains("License: BSD License\n Copyright 2010 Pallets\n"),
            "{copyright}"
        );
        machine.run("/usr/lib/greeter/app/bin/greet").ok();
        machine.run("apt-get remove --yes greeter-services").ok();
        assert!(!machine.has("/usr/lib/greeter") && !machine.has("/var/cache/greeter"));
        Ok(())
    })
}
