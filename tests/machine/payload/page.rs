//! The page for newcomers: from a folder to a running service, as `docs/payloads.md` says.

use std::fs;

use support::packages::dist;
use support::pages::Page;
use support::scratch::scratch;
use testbed::{Machine, Result, Suite, at_once};

use super::{SOON, of_format};

#[test]
fn the_pages_application_runs_after_its_commands() -> Result<()> {
    let page = Page::read("docs/payloads.md");
    let blocks = page.blocks();
    let block = |fence: &str| &blocks.iter().find(|block| block.fence == fence).unwrap().text;
    let catalog = block("toml ../station/station.toml");
    assert!(catalog.lines().count() <= 25, "{} lines", catalog.lines().count());
    let dir = scratch("station");
    fs::create_dir(dir.join("app")).unwrap();
    fs::write(dir.join("app/station.py"), block("python ../station/app/station.py")).unwrap();
    fs::write(dir.join("station.toml"), catalog).unwrap();
    let packages = dist(&["--catalog", dir.join("station.toml").to_str().unwrap()], "station-dist");
    let deb = of_format(&packages, "deb");
    let command = block("console machine").trim().strip_prefix("$ sudo ").unwrap().to_owned();
    assert_eq!(command, format!("apt install ./{}", deb.file_name().unwrap().to_str().unwrap()));
    at_once(Suite::STABLE, |suite| {
        let machine = Machine::on(suite).boot()?;
        machine.put_file(deb, &format!("/root/{}", deb.file_name().unwrap().to_str().unwrap()));
        machine.run(&format!("cd /root; DEBIAN_FRONTEND=noninteractive {command} --yes")).ok();
        let get = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8090/').status)";
        machine.wait_for("the page", SOON, || machine.command(&["python3", "-c", get]).run().success());
        Ok(())
    })
}
