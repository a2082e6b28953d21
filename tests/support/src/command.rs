//! Commands as a person types them, and what they said.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The checkout.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned())
}

/// `cargo xtask ARGS`, in the checkout.
pub fn xtask(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    // cargo and rustup name the toolchain's libraries here; a cargo that no rustup started does not.
    command.current_dir(root()).env_remove("LD_LIBRARY_PATH").arg("xtask").args(args);
    command
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where tests put files.
pub fn tmp() -> PathBuf {
    target().join("tmp")
}

/// The toolchain's program, built by now because it made the packages.
pub fn program() -> PathBuf {
    target().join("debug/xtask")
}

/// Runs a command that must succeed; its standard output.
pub fn ok(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, both(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// Everything that a command said.
pub fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A shell script that must succeed; its standard output.
pub fn sh(dir: &Path, script: &str) -> String {
    ok(Command::new("sh").current_dir(dir).args(["-euc", script]))
}

/// The packages of every product here, made once for all tests.
pub fn dist() -> &'static Dist {
    static DIST: OnceLock<Dist> = OnceLock::new();
    DIST.get_or_init(|| {
        let dir = tmp().join("dist");
        let _ = std::fs::remove_dir_all(&dir);
        let stdout = ok(xtask(&["dist", "--out"]).arg(&dir));
        Dist { paths: stdout.lines().map(PathBuf::from).collect(), dir }
    })
}

/// What `cargo xtask dist` made.
pub struct Dist {
    /// The folder.
    pub dir: PathBuf,
    /// The paths that it printed.
    pub paths: Vec<PathBuf>,
}

impl Dist {
    /// The package whose file name ends so.
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
