//! Builds the programs: takes a [`Target`], and makes static binaries. The bytes do not depend on the machine or the
//! day of the build.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use workspace::Workspace;
use workspace::target::Target;
use xshell::{Shell, cmd};

/// A built program.
#[derive(Debug, Clone)]
pub struct Program {
    /// Name of the executable.
    pub name: String,
    /// Content of the executable.
    pub bytes: Vec<u8>,
}

/// Builds every program of the workspace for each target, in parallel. It always builds all programs together, because
/// the features that one program enables can change the code of a dependency in the others.
pub fn build(workspace: &Workspace, targets: &[Target]) -> Result<Vec<Vec<Program>>> {
    let sh = Shell::new()?;
    sh.change_dir(workspace.path(""));
    for target in targets {
        ensure_target(&sh, *target)?;
    }
    let names = workspace.programs()?;
    let packages = names.iter().map(|name| format!("--package={name}"));
    let triples = targets.iter().map(|target| format!("--target={}", target.triple));
    eprintln!(
        "building the programs for {}",
        targets.iter().map(|t| t.triple).collect::<Vec<_>>().join(" and ")
    );
    cmd!(sh, "cargo build --quiet --locked --release {packages...} --bins {triples...}")
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&workspace.path(""))?)
        .quiet()
        .run()
        .context("cannot build the programs")?;
    targets.iter().map(|target| read(&sh, workspace, *target, &names)).collect()
}

/// A program of a crate outside of this workspace.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    /// Folder of the crate.
    pub folder: &'a Path,
    /// Name of the crate.
    pub package: &'a str,
    /// Name of the program.
    pub bin: &'a str,
    /// Features to enable.
    pub features: &'a [String],
    /// Folder for what cargo makes.
    pub output: &'a Path,
}

/// Builds a program of another crate for each target as a static program, and returns the paths.
pub(crate) fn build_crate(order: &Order<'_>, targets: &[Target]) -> Result<Vec<PathBuf>> {
    let sh = Shell::new()?;
    sh.change_dir(order.folder);
    for target in targets {
        ensure_target(&sh, *target)?;
    }
    let Order { package, bin, features, output, .. } = order;
    let features = features.iter().flat_map(|feature| ["--features", feature]);
    let triples = targets.iter().map(|target| format!("--target={}", target.triple));
    let mut build = cmd!(
        sh,
        "cargo build --quiet --locked --release --package={package} --bin={bin} {features...} {triples...}"
    )
    .env("CARGO_ENCODED_RUSTFLAGS", flags(order.folder)?)
    .env("CARGO_TARGET_DIR", output);
    for target in targets {
        let triple = target.triple.replace('-', "_").to_uppercase();
        build = build.env(format!("CARGO_TARGET_{triple}_LINKER"), "rust-lld");
    }
    build.quiet().run().with_context(|| format!("cannot build `{bin}` of the crate `{package}`"))?;
    let objcopy = Objcopy::find(&sh)?;
    targets.iter().map(|target| objcopy.slim(&sh, &output.join(target.triple).join("release"), bin)).collect()
}

/// Reads the programs of a target, without the notes of compiler and linker. Machines do not need them, and lint tools
/// reject them.
fn read(sh: &Shell, workspace: &Workspace, target: Target, names: &[String]) -> Result<Vec<Program>> {
    let output = workspace.target_dir().join(target.triple).join("release");
    let objcopy = Objcopy::find(sh)?;
    let mut programs = Vec::new();
    for name in names {
        let slim = objcopy.slim(sh, &output, name)?;
        let bytes = fs::read(&slim).with_context(|| format!("`{}`", slim.display()))?;
        programs.push(Program { name: name.clone(), bytes });
    }
    Ok(programs)
}

/// The program that removes parts of other programs.
struct Objcopy {
    program: PathBuf,
    /// Without this folder in a variable, the toolchain's objcopy finds its library only if rustup started it.
    libraries: PathBuf,
}

impl Objcopy {
    fn find(sh: &Shell) -> Result<Objcopy> {
        let sysroot = cmd!(sh, "rustc --print sysroot").quiet().read()?;
        Ok(Objcopy { program: find_objcopy(sh)?, libraries: PathBuf::from(sysroot.trim()).join("lib") })
    }

    /// Writes a program without the notes of compiler and linker beside the built one, and returns its path.
    fn slim(&self, sh: &Shell, output: &Path, name: &str) -> Result<PathBuf> {
        let Objcopy { program, libraries } = self;
        let (built, slim) = (output.join(name), output.join(format!("{name}.slim")));
        cmd!(sh, "{program} --strip-all --remove-section=.comment --remove-section=.note.* {built} {slim}")
            .env("LD_LIBRARY_PATH", libraries)
            .quiet()
            .run()?;
        Ok(slim)
    }
}

/// Installs the standard library for `target` unless it is there.
fn ensure_target(sh: &Shell, target: Target) -> Result<()> {
    let triple = target.triple;
    let installed = cmd!(sh, "rustc --print target-libdir --target {triple}").quiet().ignore_stderr().read();
    let has_library = |dir: &str| fs::read_dir(dir).is_ok_and(|mut d| d.next().is_some());
    if installed.is_ok_and(|dir| has_library(dir.trim())) {
        return Ok(());
    }
    eprintln!("installing Rust's standard library for {triple}: rustup target add {triple}");
    if cmd!(sh, "rustup target add {triple}").quiet().run().is_err() {
        bail!(
            "Rust's standard library for {triple} cannot be installed: rustup is missing or cannot reach its server: \
             run `rustup target add {triple}` when online, or install your distribution's package of it \
             (Debian: libstd-rust-dev for the machine's own processor), or choose other targets with --target"
        );
    }
    Ok(())
}

/// Returns flags for rustc that keep the paths of this machine out of the programs, and make the programs smaller.
/// `root` is the folder of the sources.
fn flags(root: &Path) -> Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home
        .or_else(|| std::env::home_dir().map(|h| h.join(".cargo")))
        .context("no home directory: set HOME or CARGO_HOME")?;
    let root = root.to_str().context("the path of the checkout is not UTF-8")?.trim_end_matches('/');
    let home = home.to_str().context("the path of CARGO_HOME is not UTF-8")?;
    // Without relocations, all processes of a program share its pages. These programs have no unsafe code that address
    // randomization would protect.
    // A panic aborts, and there are no symbols for a backtrace, so unwind tables are useless.
    Ok([
        "-Crelocation-model=static",
        "-Cforce-unwind-tables=no",
        &format!("--remap-path-prefix={root}=."),
        &format!("--remap-path-prefix={home}=/cargo"),
    ]
    .join("\u{1f}"))
}

/// Finds the toolchain's own objcopy, or one on the PATH.
fn find_objcopy(sh: &Shell) -> Result<PathBuf> {
    let sysroot = cmd!(sh, "rustc --print sysroot").quiet().read()?;
    let host = cmd!(sh, "rustc --print host-tuple").quiet().read()?;
    let own = PathBuf::from(sysroot.trim()).join("lib/rustlib").join(host.trim()).join("bin/rust-objcopy");
    if own.exists() {
        return Ok(own);
    }
    for name in ["llvm-objcopy", "objcopy"] {
        if cmd!(sh, "{name} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
            return Ok(name.into());
        }
    }
    bail!("no objcopy: this Rust toolchain does not include one: install it (Debian: apt-get install llvm)")
}
