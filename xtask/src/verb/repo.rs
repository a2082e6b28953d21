//! `cargo xtask repo`: publishes packages from `dist` in signed repositories.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use repository::{Description, Key, Moment, Plan, SUITE, Version, publish};
use workspace::Workspace;

use crate::secret::{self, VARIABLE};

/// Arguments that read the key from standard input.
pub const KEY_FROM_INPUT: [&str; 2] = ["--key", INPUT];
const INPUT: &str = "-";

/// What to publish.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Products whose packages to add [default: all packages in the folder]
    #[arg(value_name = "PRODUCT")]
    products: Vec<String>,
    /// Signing key, - for standard input; may be repeated. Where only one signature is possible, the first key signs
    /// [default: the key in the variable REPO_KEY]
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Name of the suite, which machines subscribe to
    #[arg(long, value_name = "NAME", default_value = SUITE, value_parser = suite)]
    suite: String,
    /// Also keep this state permanently, as suite SUITE-SECONDS
    #[arg(long)]
    snapshot: bool,
    /// Withdraw a version; may be repeated
    #[arg(long, value_name = "NAME=VERSION", value_parser = Version::parse)]
    withdraw: Vec<Version>,
    /// Offer a version to a percentage of machines that use apt; 100 ends the phase
    #[arg(long, value_name = "NAME=VERSION:PERCENT", value_parser = phase)]
    phase: Vec<(Version, u8)>,
    /// Days until clients reject the indices; publish again before that
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
    valid_for: Option<u16>,
    /// Folder with packages and their manifest.json [default: dist]
    #[arg(long, value_name = "DIR")]
    dist: Option<PathBuf>,
    /// Folder to publish into [default: dist/repo]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Name and URL of the repository [default: repository.toml]
    #[arg(long, value_name = "FILE")]
    description: Option<PathBuf>,
    /// URL of the repository, instead of the one in the file
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Args {
    /// Returns whether the key must come from the environment.
    pub fn has_no_key(&self) -> bool {
        self.key.is_empty()
    }
}

/// Publishes the packages; prints the paths of the page and of the newest indices.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    let description = args.description.unwrap_or_else(|| workspace.path("repository.toml"));
    let description = Description::read(&description, args.url.as_deref())?;
    let here = args.out.is_none();
    let out = args.out.unwrap_or_else(|| workspace.path("dist/repo"));
    let moment = Moment::read(args.valid_for)?;
    let plan = Plan {
        description,
        keys: keys(&args.key, &out, moment)?,
        suite: args.suite,
        snapshot: args.snapshot,
        dist: args.dist.unwrap_or_else(|| workspace.path("dist")),
        products: args.products,
        out,
        withdraw: args.withdraw,
        phase: args.phase,
        moment,
    };
    for path in publish(workspace, &plan)? {
        let printed_path = if here { path.strip_prefix(workspace.path("")).unwrap_or(&path) } else { &path };
        println!("{}", printed_path.display());
    }
    Ok(())
}

/// Reads the keys from files and standard input.
fn keys(files: &[PathBuf], out: &Path, moment: Moment) -> Result<Vec<Key>> {
    let now = u32::try_from(moment.now).context("the clock is beyond the range of OpenPGP: set it")?;
    if files.is_empty() {
        bail!(
            "no key to sign the packages with: name one with --key FILE, put one into {VARIABLE}, or \
             make one with `cargo xtask key new FILE`"
        );
    }
    secret::keep()?;
    let served = out.canonicalize().unwrap_or_else(|_| out.to_owned());
    for file in files {
        let inside = file.canonicalize().is_ok_and(|file| file.starts_with(&served));
        ensure!(
            !inside,
            "`{}`: is in the published folder, where everyone can read it: remove it and create a new key",
            file.display()
        );
    }
    let open = |file: &PathBuf| match file.as_os_str() == INPUT {
        true => Key::read(&secret::read()?, now)
            .with_context(|| format!("{VARIABLE} or standard input: no key to sign with")),
        false => Key::open(file, now),
    };
    let keys: Vec<Key> = files.iter().map(open).collect::<Result<_>>()?;
    for (i, key) in keys.iter().enumerate() {
        let twice = keys[..i].iter().any(|other| other.fingerprint() == key.fingerprint());
        ensure!(!twice, "`{}`: given twice: name it once", files[i].display());
    }
    Ok(keys)
}

/// Checks a suite's name, which becomes part of URLs and file names.
fn suite(name: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 40 && name.bytes().all(plain) {
        return Ok(name.to_owned());
    }
    Err("a suite's name must start with a letter and contain only lower-case letters, digits and hyphens"
        .to_owned())
}

fn phase(text: &str) -> Result<(Version, u8), String> {
    let (version, percent) = text.rsplit_once(':').ok_or("write NAME=VERSION:PERCENT")?;
    let percent = match percent.parse() {
        // To stop a version, withdraw it: 0 percent still reaches some machines with apt.
        Ok(percent @ 1..=100) => percent,
        _ => return Err("PERCENT must be 1 to 100; to stop a version, withdraw it".to_owned()),
    };
    Ok((Version::parse(version)?, percent))
}
