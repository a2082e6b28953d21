//! Sources the setup scripts in one bash, in order, and returns the resulting environment.
//!
//! run_stack starts the launch itself, with the environment as data. Therefore `--print` can show it, and a
//! failing script is distinguishable from a failing launch.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::path::PathBuf;

use base::environment::Environment;
use base::failure::{Failure, reason};
use base::program::Program;
use base::table::Setup;

use crate::supervisor::{Ended, Supervisor};

const SCRIPT: &str = include_str!("setup.bash");

/// The last command of the script, and bash's exit status if it exists but cannot be executed.
const ENV: &str = "/usr/bin/env";
const CANNOT_EXECUTE: u8 = 126;

/// Returns the environment after sourcing `scripts`; `None` if a stop was requested meanwhile.
pub(crate) fn source(
    scripts: &[Setup],
    environment: &Environment,
    supervisor: &mut Supervisor,
) -> Result<Option<Environment>, Failure> {
    if scripts.is_empty() {
        return Ok(Some(environment.clone()));
    }
    let paths = scripts.iter().map(|s| path(s, environment)).collect::<Result<Vec<_>, _>>()?;
    let io = |e: std::io::Error| Failure::failed(format!("cannot source setup scripts: {}", reason(&e)));

    // A memfd and not a pipe: a background process of a script would keep a pipe open forever.
    let dump =
        rustix::fs::memfd_create("variables", rustix::fs::MemfdFlags::CLOEXEC).map_err(|e| io(e.into()))?;
    let null = File::open("/dev/null").map_err(io)?;
    let argv: Vec<OsString> =
        ["bash", "--norc", "--noprofile", "-c", SCRIPT, "run_stack"].map(OsString::from).into();
    let argv = [argv, paths.iter().map(OsString::from).collect()].concat();
    let shell = environment.for_a_shell();
    let bash = Program { argv: &argv, environment: &shell, streams: Some((null.as_fd(), dump.as_fd())) };
    let bash = supervisor.spawn(&bash).map_err(|e| {
        Failure::configuration(format!(
            "`bash`: cannot run setup scripts: {}: install the package bash",
            reason(&e)
        ))
    })?;
    let ended = supervisor.wait_for(bash);
    if supervisor.asked_to_stop() {
        return Ok(None);
    }

    let mut content = Vec::new();
    let mut dump = File::from(dump);
    dump.rewind().and_then(|()| dump.read_to_end(&mut content)).map_err(io)?;
    let succeeded = content.iter().take_while(|&&b| b == 0).count();
    if let Some((script, path)) = scripts.iter().zip(&paths).nth(succeeded) {
        return Err(Failure::configuration(format!(
            "`{}`: setup script {ended}: {}",
            path.display(),
            environment.expand_shown(&script.hint)
        )));
    }
    if let (Ended::Exited(CANNOT_EXECUTE), Some(last), Ok(())) =
        (&ended, paths.last(), rustix::fs::access(ENV, rustix::fs::Access::EXEC_OK))
    {
        let why = "the resulting environment is larger than the kernel allows";
        return Err(Failure::configuration(format!(
            "`{}`: {why}: export fewer or shorter variables",
            last.display()
        )));
    }
    if !ended.is_success() || content.len() == succeeded {
        return Err(Failure::configuration(format!("`{ENV}`: {ended}: install the package coreutils")));
    }
    Ok(Some(environment.after_setup(&content[succeeded..])))
}

fn path(script: &Setup, environment: &Environment) -> Result<PathBuf, Failure> {
    let hint = || environment.expand_shown(&script.hint);
    let path = environment.expand(&script.path).map_err(|name| {
        Failure::configuration(format!("`{}`: {name} is not set: {}", script.path, hint()))
    })?;
    let path = PathBuf::from(path);
    match File::open(&path) {
        Ok(_) => Ok(path),
        Err(e) => Err(Failure::configuration(format!("`{}`: {}: {}", path.display(), reason(&e), hint()))),
    }
}
