//! Setup scripts: sourced by one bash, in their order, which leaves the environment they made behind.
//!
//! The launch is not started by that bash but by us, with the environment as data: so `--print` can show it,
//! a failing script is told from a failing launch, and starting means started.

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

/// What bash is told to do.
const SCRIPT: &str = include_str!("setup.bash");

/// What the script ends with, and bash's status when that is there and cannot be executed.
const ENV: &str = "/usr/bin/env";
const CANNOT_EXECUTE: u8 = 126;

/// The environment after sourcing `scripts`; `None` when we were asked to stop meanwhile.
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

    // A file in memory and not a pipe: something that a script leaves running keeps a pipe open for ever.
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

/// The script's path, when there is such a file.
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
