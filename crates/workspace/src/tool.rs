//! Tools from crates.io at pinned versions: taken from `PATH` or a per-user cache, and built into that cache
//! on first use.

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
    /// The pinned version.
    pub version: &'static str,
    flags: &'static [&'static str],
}

/// Checks licenses and sources of the dependencies.
pub const CARGO_DENY: Tool =
    Tool { name: "cargo-deny", version: "0.20.2", flags: &["--no-default-features"] };

/// Builds the documentation site with its search, without the features that watch and serve it.
pub const MDBOOK: Tool =
    Tool { name: "mdbook", version: "0.5.4", flags: &["--no-default-features", "--features", "search"] };

/// Each tool runs for a second and is mostly C; an optimized build would take minutes.
const CHEAP: [(&str, &str); 6] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "false"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_STRIP", "false"),
];

impl Tool {
    /// Returns the path of the executable, installing it if necessary.
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
                "`{}` does not run or is a different version: remove `{}` and try again",
                cached.display(),
                home.display()
            );
        }
        Ok(cached)
    }

    fn is_it(&self, sh: &Shell, program: &Path) -> bool {
        let output = cmd!(sh, "{program} --version").quiet().ignore_stderr().read();
        let version =
            |text: String| text.split_whitespace().last().map(|v| v.trim_start_matches('v').to_owned());
        output.is_ok_and(|text| version(text).as_deref() == Some(self.version))
    }

    /// Builds the tool in a temporary folder and renames it, so that no partial build is found.
    fn install(&self, sh: &Shell, home: &Path) -> Result<()> {
        let Tool { name, version, flags } = *self;
        let building = home.with_extension(format!("{}.building", std::process::id()));
        eprintln!("building {name} {version} into `{}`: first use, takes a minute or two", home.display());
        // On a terminal, cargo shows its own progress bar.
        let quiet: &[&str] = if std::io::stderr().is_terminal() { &[] } else { &["--quiet"] };
        let _env: Vec<_> = CHEAP.iter().map(|(key, value)| sh.push_env(key, value)).collect();
        // Flags that the caller set for its own code do not apply here.
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
                "cannot build {name} {version}: see above: without a network connection, put \
                 {name} {version} on the PATH (cargo install --locked {name}@{version})"
            );
        }
        fs::remove_dir_all(building.join("target"))?;
        match fs::rename(&building, home) {
            // Another run finished first; its copy is equivalent.
            Err(_) if home.exists() => Ok(fs::remove_dir_all(&building)?),
            other => other.with_context(|| format!("`{}`", home.display())),
        }
    }
}

/// Returns the per-user cache of the toolchain.
pub fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    Ok(base.context("no home directory for the cache: set XDG_CACHE_HOME")?.join("rovi-services"))
}
