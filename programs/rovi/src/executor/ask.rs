//! Runs a program with limits on time and output. After a timeout, the program and its descendants are
//! killed.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// Limit for the output.
const LONGEST: usize = 1 << 16;

/// The result of a program.
#[derive(Debug)]
pub struct Answer {
    /// Exit status; `None` after a timeout.
    pub status: Option<ExitStatus>,
    /// Start of its output on both streams.
    pub text: String,
}

/// Runs the program without input.
pub fn run(mut command: Command, bound: Duration) -> io::Result<Answer> {
    let deadline = Instant::now() + bound;
    let (mut output, input) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input).process_group(0);
    let mut child = command.spawn()?;
    // The command holds the write end of the pipe too.
    drop(command);
    fcntl_setfl(&output, OFlags::NONBLOCK)?;
    let pid = Pid::from_child(&child);
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    let (mut bytes, mut open, mut status) = (Vec::new(), true, None);
    while status.is_none() {
        let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now()))
            .map_err(io::Error::other)?;
        let mut sources = vec![PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::IN)];
        if open {
            sources.push(PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN));
        }
        match poll(&mut sources, Some(&left)) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(e.into()),
            Ok(0) => {
                let _ = kill_process_group(pid, Signal::KILL);
                child.wait()?;
                break;
            }
            Ok(_) => {}
        }
        let over = !sources[0].revents().is_empty();
        open = open && drain(&mut output, &mut bytes)?;
        if over {
            status = Some(child.wait()?);
        }
    }
    if open {
        drain(&mut output, &mut bytes)?;
    }
    Ok(Answer { status, text: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Reads available output; returns false at its end.
fn drain(output: &mut io::PipeReader, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut part = [0; 4096];
    loop {
        match output.read(&mut part) {
            Ok(0) => return Ok(false),
            Ok(length) => {
                let room = LONGEST.saturating_sub(bytes.len());
                bytes.extend_from_slice(&part[..length.min(room)]);
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::run;

    fn sh(script: &str, bound: u64) -> super::Answer {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run(command, Duration::from_millis(bound)).unwrap()
    }

    #[test]
    fn an_answer_and_its_status() {
        let answer = sh("echo a; echo b >&2; exit 3", 20_000);
        assert_eq!((answer.status.unwrap().code(), &*answer.text), (Some(3), "a\nb\n"));
    }

    #[test]
    fn what_hangs_is_ended_and_what_is_left_behind_is_not_waited_for() {
        let begin = Instant::now();
        assert!(sh("echo a; sleep 60", 50).status.is_none());
        assert!(sh("sleep 60 & exit 0", 20_000).status.unwrap().success());
        assert!(begin.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn much_output_is_cut_and_does_not_block() {
        let answer = sh("yes | head -c 1000000; exit 4", 20_000);
        assert_eq!((answer.status.unwrap().code(), answer.text.len()), (Some(4), super::LONGEST));
    }
}
