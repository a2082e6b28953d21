//! `cargo xtask`: the table of subcommands.

use std::process::ExitCode;

use anyhow::Result;
use base::plain::Plain;
use catalog::finding::Faults;
use clap::{Parser, Subcommand};
use workspace::Workspace;
use xtask::{secret, verb};

/// Build packages, repositories and images from catalogs
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, term_width = 80, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 success, 1 failure, 2 usage error, 78 invalid catalog.
Paths of created files go to standard output, messages to standard error.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Validate catalogs, templates, goldens, units and man pages
    Check(verb::check::Args),
    /// Write the files of products to a folder for review
    Render(verb::render::Args),
    /// Build packages, checksums and software bills of materials
    Dist(verb::dist::Args),
    /// Lock the Python packages that a product brings
    Lock(verb::lock::Args),
    /// Publish packages in signed apt and dnf repositories
    Repo(verb::repo::Args),
    /// Build an SD card or disk image, or test one
    Image(verb::image::Args),
    /// Create or show a repository signing key
    Key(verb::key::Args),
    /// Write the JSON Schemas of catalogs and of program output
    Schema,
    /// Check the documentation and build its site
    Docs(verb::docs::Args),
    /// Boot a container with the packages installed, and open a shell in it
    Try(verb::tryout::Args),
    /// Benchmark programs against what they replace
    Bench(verb::bench::Args),
    #[command(hide = true)]
    Inside(verb::inside::Args),
    /// Run all tests, as CI does
    Test(verb::test::Args),
}

fn main() -> ExitCode {
    let workspace = Workspace::find();
    let verb = Cli::parse().verb;
    let key_wanted = match &verb {
        Verb::Repo(args) if args.has_no_key() => Some(&verb::repo::KEY_FROM_INPUT[..]),
        _ => None,
    };
    let result = secret::hide(key_wanted).and_then(|()| run(&workspace, verb));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Faults>() => {
            eprintln!("{error}");
            ExitCode::from(78)
        }
        Err(error) => {
            // Output of programs in a root or on a console has several lines; indent them, so that none looks
            // like an error of ours.
            let text = format!("{error:#}");
            for (number, line) in text.lines().enumerate() {
                let start = match number {
                    0 => "error: ",
                    _ if line.starts_with("  ") => "",
                    _ => "  ",
                };
                eprintln!("{start}{}", Plain(line));
            }
            ExitCode::FAILURE
        }
    }
}

fn run(workspace: &Workspace, verb: Verb) -> Result<()> {
    match verb {
        Verb::Check(args) => verb::check::run(workspace, args),
        Verb::Render(args) => verb::render::run(workspace, args),
        Verb::Dist(args) => verb::dist::run(workspace, args),
        Verb::Lock(args) => verb::lock::run(workspace, args),
        Verb::Repo(args) => verb::repo::run(workspace, args),
        Verb::Image(args) => verb::image::run(workspace, args),
        Verb::Key(args) => verb::key::run(workspace, args),
        Verb::Schema => verb::schema::run(workspace),
        Verb::Docs(args) => verb::docs::run(workspace, args),
        Verb::Try(args) => verb::tryout::run(workspace, args),
        Verb::Bench(args) => verb::bench::run(workspace, args),
        Verb::Inside(args) => verb::inside::run(args),
        Verb::Test(args) => verb::test::run(workspace, args),
    }
}
