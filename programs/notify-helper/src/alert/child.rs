//! Runs another program with given input and with limits on its time and output. When a limit is exceeded,
//! its whole process group is killed. Processes that a program leaves running after its end are not killed,
//! because a mail system delivers in the background.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::MemfdFlags;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// Runs the program and returns at most `keep` bytes of its output; more output ends it. If `keep` is 0, the
/// output goes to standard error instead.
pub(crate) fn run(
    command: &mut Command,
    input: &[u8],
    keep: usize,
    bound: Duration,
) -> io::Result<(ExitStatus, Vec<u8>)> {
    command.process_group(0).stdin(store_input(input)?);
    command.stdout(match keep {
        0 => Stdio::from(io::stderr().as_fd().try_clone_to_owned()?),
        _ => Stdio::piped(),
    });
    let until = Instant::now() + bound;
    let mut child = command.spawn()?;
    let pid = Pid::from_child(&child);
    let mut output = child.stdout.take().map(|pipe| File::from(OwnedFd::from(pipe)));
    let mut kept = Vec::new();
    let finished = pidfd_open(pid, PidfdFlags::empty())
        .map_err(io::Error::from)
        .and_then(|ended| follow(&ended, &mut output, &mut kept, keep, until));
    match finished {
        Ok(true) => Ok((child.wait()?, kept)),
        other => {
            let _ = kill_process_group(pid, Signal::KILL);
            let status = child.wait()?;
            match other {
                Ok(_) => Ok((status, kept)),
                Err(e) => Err(e),
            }
        }
    }
}

/// Reads until the program has ended; returns false if it printed too much.
fn follow(
    ended: &OwnedFd,
    output: &mut Option<File>,
    kept: &mut Vec<u8>,
    keep: usize,
    until: Instant,
) -> io::Result<bool> {
    if let Some(output) = output {
        rustix::io::ioctl_fionbio(output, true)?;
    }
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let mut fds = vec![PollFd::new(ended, PollFlags::IN)];
        fds.extend(output.as_ref().map(|o| PollFd::new(o, PollFlags::IN)));
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::TimedOut, "timed out and was killed")),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let over = !fds[0].revents().is_empty();
        // All output written before its end is in the pipe by now.
        while let Some(pipe) = output {
            let mut bytes = [0; 8192];
            match pipe.read(&mut bytes) {
                Ok(0) => *output = None,
                Ok(length) => kept.extend_from_slice(&bytes[..length.min(keep - kept.len())]),
                Err(_) => break,
            }
            if kept.len() == keep {
                return Ok(false);
            }
        }
        if over {
            return Ok(true);
        }
    }
}

/// The input is a file in memory, so that a slow reader does not block this process.
fn store_input(input: &[u8]) -> io::Result<Stdio> {
    if input.is_empty() {
        return Ok(Stdio::null());
    }
    let mut file = File::from(rustix::fs::memfd_create(c"input", MemfdFlags::CLOEXEC)?);
    file.write_all(input)?;
    file.rewind()?;
    Ok(file.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sh(script: &str, input: &[u8], keep: usize, ms: u64) -> io::Result<(ExitStatus, Vec<u8>)> {
        run(Command::new("/bin/sh").args(["-c", script]), input, keep, Duration::from_millis(ms))
    }

    #[test]
    fn output_input_and_status() {
        let (status, output) = sh("cat; exit 3", &vec![b'x'; 200_000], 1 << 20, 20_000).unwrap();
        assert_eq!((status.code(), output.len()), (Some(3), 200_000));
        let (status, _) = sh("exit 0", &vec![b'x'; 200_000], 1, 20_000).unwrap();
        assert!(status.success());
    }

    #[test]
    fn bounds() {
        let began = Instant::now();
        let error = sh("sleep 60 & sleep 60", b"", 100, 100).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(sh("yes", b"", 1000, 20_000).unwrap().1.len(), 1000);
        // A process that still holds the output does not block.
        assert_eq!(sh("sleep 60 & echo a", b"", 100, 20_000).unwrap().1, b"a\n");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
