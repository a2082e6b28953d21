//! Black-box tests of `cargo xtask repo` and `cargo xtask key`: the published files, other tools that read
//! them, interrupted runs, and invalid input.

mod full;
mod grow;
mod kill;
mod mistakes;
mod oracle;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use package::rpm;
use serde_json::json;
use sha2::{Digest, Sha256};
use support::command::{ok, root, xtask};

/// A key, created once because it takes seconds.
fn key() -> &'static Path {
    static KEY: OnceLock<PathBuf> = OnceLock::new();
    KEY.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("rovi-key-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        ok(xtask(&["key", "new", "--name", "Ana Key <ana@example.org>"]).arg(folder.join("key")));
        folder.join("key")
    })
}

/// Returns the path of the toolchain's program, to run it without cargo.
pub(crate) fn toolchain() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| drop(ok(&mut xtask(&["repo", "--help"]))));
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("xtask")
}

/// Returns `cargo xtask repo` with folders for input and output.
fn repo(dist: &Path, out: &Path) -> Command {
    let mut command = Command::new(toolchain());
    // cargo would set this.
    command.current_dir(root()).env("CARGO_MANIFEST_DIR", root().join("xtask"));
    command.arg("repo").arg("--key").arg(key()).arg("--dist").arg(dist).arg("--out").arg(out);
    command
}

/// Creates packages with only a text file, a .deb and an .rpm each, and their manifest, as `dist` would.
fn packages(dist: &Path, name: &str, versions: &[&str]) {
    fs::create_dir_all(dist).unwrap();
    let (deb, rpm) = templates();
    let mut listed = Vec::new();
    for version in versions {
        let deb =
            debian::deb::with_control(deb, &[("Package: ", name), ("Version: ", version)], &[]).unwrap();
        let mut changed = rpm::Rpm::parse(rpm).unwrap();
        changed.set(rpm::Entry::text(rpm::NAME, name));
        changed.set(rpm::Entry::text(rpm::VERSION, version));
        let size = rpm::Size { packed: changed.payload.len() as u64, unpacked: changed.unpacked().unwrap() };
        let rpm = [&changed.write_head(size), changed.payload].concat();
        for (file, format, processor, bytes) in [
            (format!("{name}_{version}_all.deb"), "deb", "all", deb),
            (format!("{name}-{version}-1.noarch.rpm"), "rpm", "noarch", rpm),
        ] {
            let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            listed.push(json!({
                "file": file, "product": name, "package": name, "version": version, "format": format,
                "architecture": processor, "target": "x86_64-unknown-linux-musl", "size": bytes.len(),
                "sha256": sha256,
            }));
            fs::write(dist.join(file), bytes).unwrap();
        }
    }
    fs::write(dist.join("manifest.json"), json!({ "packages": listed }).to_string()).unwrap();
}

/// The packages with keys and sources, which are small and contain no program.
fn templates() -> (&'static [u8], &'static [u8]) {
    static MADE: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    let (deb, rpm) = MADE.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("repo-templates");
        let _ = fs::remove_dir_all(&out);
        // Without other packages, only these are published.
        ok(&mut repo(&out.join("nothing"), &out));
        let deb = "apt/pool/stable/r/rovi-services-repository/rovi-services-repository_1.0.0_all.deb";
        let rpm = "rpm/stable/packages/rovi-services-repository-1.0.0-1.noarch.rpm";
        (fs::read(out.join(deb)).unwrap(), fs::read(out.join(rpm)).unwrap())
    });
    (deb, rpm)
}
