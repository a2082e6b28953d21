//! The example for newcomers: two Python programs come with the package, and serve.

use support::packages::dist;
use testbed::{Machine, Result, Suite, at_once};

use super::{SOON, of_format};

#[test]
fn the_greenhouse_serves_after_one_install_and_leaves_nothing() -> Result<()> {
    let catalog = support::command::root().join("examples/greenhouse.toml");
    let packages = dist(&["--catalog", catalog.to_str().unwrap()], "greenhouse");
    at_once(Suite::STABLE, |suite| {
        let machine = Machine::on(suite).boot()?;
        machine.install(of_format(&packages, "deb")).ok();
        serves(&machine);
        // The services cannot change their programs.
        machine
            .run("setpriv --reuid=greenhouse --clear-groups touch /usr/lib/greenhouse/app/page.py")
            .fails();
        assert_eq!(machine.run("dpkg --verify greenhouse-services").ok().text(), "");
        machine.run("dpkg --purge greenhouse-services").ok();
        assert!(!machine.has("/usr/lib/greenhouse"));

        machine.put_file(of_format(&packages, "rpm"), "/var/tmp/greenhouse.rpm");
        machine.run("rpm --install --nodeps /var/tmp/greenhouse.rpm").ok();
        machine.run("systemctl start greenhouse-sensors greenhouse-page").ok();
        serves(&machine);
        assert_eq!(machine.run("rpm --verify --nodeps greenhouse-services").ok().text(), "");
        machine.run("rpm --erase greenhouse-services").ok();
        assert!(!machine.has("/usr/lib/greenhouse"), "{:?}", machine.list("/usr/lib/greenhouse"));
        Ok(())
    })
}

/// Waits for the page with the values of this machine.
#[track_caller]
fn serves(machine: &Machine) {
    machine.wait_for_unit("greenhouse-page", "active", SOON);
    let get = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/').read().decode())";
    machine.wait_for("the page", SOON, || {
        let page = machine.command(&["python3", "-c", get]).run();
        page.success() && page.text().contains("<h1>Greenhouse</h1>")
    });
}
