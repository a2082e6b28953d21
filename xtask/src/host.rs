//! What the host must have for checks and tests: programs of its distribution. As root they are installed; otherwise
//! the exact command is named, and whoever needs them fails.

use std::path::Path;

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

/// Makes sure that every program is there: (program, Debian package that brings it).
pub fn need(programs: &[(&str, &str)]) -> Result<()> {
    let mut packages: Vec<&str> =
        programs.iter().filter(|(program, _)| !present(program)).map(|(_, p)| *p).collect();
    packages.sort_unstable();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let sh = Shell::new()?;
    let root = cmd!(sh, "id -u").quiet().read()?.trim() == "0";
    let list = packages.join(" ");
    if root && present("apt-get") {
        eprintln!("installing {list}");
        let _env = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
        let options = ["-qq", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"];
        let packages = packages.as_slice();
        let install = || {
            cmd!(sh, "apt-get install {options...} {packages...}")
                .quiet()
                .ignore_stdout()
                .ignore_stderr()
                .run()
        };
        // Lists are absent or out of date on most fresh machines.
        if install().is_ok() || cmd!(sh, "apt-get -qq update").quiet().run().is_ok_and(|()| install().is_ok())
        {
            return Ok(());
        }
    }
    bail!(
        "programs are missing: {list}: run `apt-get install {list}` as root, or your distribution's equivalent"
    )
}

fn present(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Path::new(program).is_absolute() && Path::new(program).exists()
        || std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}
