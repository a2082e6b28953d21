//! Tools from crates.io at pinned versions: found on the PATH or in a per-user cache, and built into that cache at their
//! first use.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

/// A tool from crates.io.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Name of the crate and of its program.
    pub name: &'static str,
    /// The one version that is used.
    pub version: &'static str,
    flags: &'static [&'static str],
}

/// Packs .deb files. Without its own xz it calls the system's, which needs no C library to be built.
pub const CARGO_DEB: Tool = Tool { name: "cargo-deb", version: "3.8.0", flags: &[] };

/// Packs .rpm files.
pub const CARGO_GENERATE_RPM: Tool = Tool { name: "cargo-generate-rpm", version: "0.21.1", flags: &[] };

/// Checks licences and sources of the dependencies.
pub const CARGO_DENY: Tool =
    Tool { name: "cargo-deny", version: "0.20.2", flags: &["--no-default-features"] };

/// Builds the site, with its search; the parts that watch and serve it are left out.
pub const MDBOOK: Tool =
    Tool { name: "mdbook", version: "0.5.4", flags: &["--no-default-features", "--features", "search"] };

/// It runs for a second, and what it does much of is C: compiling it well would take minutes.
const CHEAP: [(&str, &str); 6] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "false"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_STRIP", "false"),
];

impl Tool {
    /// The executable, installed if need be.
    pub fn path(&self) -> Result<PathBuf> {
        let sh = Shell::new()?;
        if self.is_it(&sh, Path::new(self.name)) {
            return Ok(self.name.into());
        }
        let home = cache()?.join("tools").join(format!("{}-{}", self.name, self.version));
        let cached = home.join("bin").join(self.name);
        if !cached.exists() {
            self.install(&sh, &home)?;
        }
        if !self.is_it(&sh, &cached) {
            bail!(
                "`{}` does not run or is another version: remove `{}` and try again",
                cached.display(),
                home.display()
            );
        }
        Ok(cached)
    }

    fn is_it(&self, sh: &Shell, program: &Path) -> bool {
        let said = cmd!(sh, "{program} --version").quiet().ignore_stderr().read();
        let version =
            |text: String| text.split_whitespace().last().map(|v| v.trim_start_matches('v').to_owned());
        said.is_ok_and(|text| version(text).as_deref() == Some(self.version))
    }

    /// Builds it beside its place and moves it there, so that nothing half-built is ever found.
    fn install(&self, sh: &Shell, home: &Path) -> Result<()> {
        let Tool { name, version, flags } = *self;
        let building = home.with_extension(format!("{}.building", std::process::id()));
        eprintln!("building {name} {version} into `{}`: first use, takes a minute or two", home.display());
        // A terminal gets cargo's own bar; a log gets the line above.
        let quiet: &[&str] = if std::io::stderr().is_terminal() { &[] } else { &["--quiet"] };
        let _env: Vec<_> = CHEAP.iter().map(|(key, value)| sh.push_env(key, value)).collect();
        // Flags that the caller has for its own code are not meant for this one.
        let result =
            cmd!(sh, "cargo install --locked {quiet...} {flags...} --root {building} {name}@{version}")
                .env_remove("CARGO_ENCODED_RUSTFLAGS")
                .env_remove("RUSTFLAGS")
                .env("CARGO_TARGET_DIR", building.join("target"))
                .quiet()
                .run();
        if result.is_err() {
            let _ = fs::remove_dir_all(&building);
            bail!(
                "{name} {version} cannot be built: see above: without network run this where there is one, or put \
                 {name} {version} on the PATH (cargo install --locked {name}@{version})"
            );
        }
        fs::remove_dir_all(building.join("target"))?;
        match fs::rename(&building, home) {
            // Another run was faster: its copy is as good.
            Err(_) if home.exists() => Ok(fs::remove_dir_all(&building)?),
            other => other.with_context(|| format!("`{}`", home.display())),
        }
    }
}

/// The per-user cache of the toolchain.
pub fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    Ok(base.context("there is no home directory for a cache: set XDG_CACHE_HOME")?.join("rovi-services"))
}
