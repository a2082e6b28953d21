//! Runs commands and returns their output.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Returns the root of the checkout.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned())
}

/// Returns the command `cargo xtask ARGS`, to run in the checkout.
pub fn xtask(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    // cargo and rustup set this to the toolchain's libraries; a cargo started without rustup does not.
    command.current_dir(root()).env_remove("LD_LIBRARY_PATH").arg("xtask").args(args);
    command
}

/// Returns cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Returns the folder for temporary files of tests.
pub fn tmp() -> PathBuf {
    target().join("tmp")
}

/// Returns the path of the toolchain's program, which exists because it built the packages.
pub fn program() -> PathBuf {
    target().join("debug/xtask")
}

/// Runs a command that must succeed; returns its standard output.
pub fn ok(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, both(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command; returns its output.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// Returns standard output followed by standard error.
pub fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a shell script that must succeed; returns its standard output.
pub fn sh(dir: &Path, script: &str) -> String {
    ok(Command::new("sh").current_dir(dir).args(["-euc", script]))
}

/// Returns the packages of every product, built once for all tests.
pub fn dist() -> &'static Dist {
    static DIST: OnceLock<Dist> = OnceLock::new();
    DIST.get_or_init(|| {
        let dir = tmp().join("dist");
        let _ = std::fs::remove_dir_all(&dir);
        let stdout = ok(xtask(&["dist", "--out"]).arg(&dir));
        Dist { paths: stdout.lines().map(PathBuf::from).collect(), dir }
    })
}

/// Result of `cargo xtask dist`.
pub struct Dist {
    /// The output folder.
    pub dir: PathBuf,
    /// The printed paths.
    pub paths: Vec<PathBuf>,
}

impl Dist {
    /// Returns the product's package whose file name has this ending.
    pub fn package(&self, product: &str, ending: &str) -> &Path {
        let fits = |path: &&PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(product) && name.ends_with(ending)
        };
        self.paths
            .iter()
            .find(fits)
            .unwrap_or_else(|| panic!("{product}…{ending} is not among {:?}", self.paths))
    }
}
