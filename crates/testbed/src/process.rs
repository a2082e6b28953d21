//! Runs host programs with a time limit, without blocking on full pipes or leaving processes behind.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, str};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

/// Exit status of a command that timed out, as for `timeout`.
pub(crate) const OUT_OF_TIME: i32 = 124;

/// How long `nsenter` may take to end after the process it started.
const END_BOUND: Duration = Duration::from_secs(2);

/// The result of a program.
pub(crate) struct Ended {
    /// Exit status as in a shell: 128 plus the signal number, [`OUT_OF_TIME`] after a timeout.
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ended {
    /// Returns the end of its output for an error message.
    pub(crate) fn tail(&self) -> String {
        last_lines(&format!("{}{}", self.stdout, self.stderr), 30)
    }
}

/// Runs a program without input until it ends or times out. A process it leaves behind with the same output
/// does not delay this.
pub(crate) fn run(command: &mut Command, bound: Duration) -> io::Result<Ended> {
    run_holding(command, Stdio::null(), bound)
}

/// Runs a program that holds a file open as its standard input.
pub(crate) fn run_holding(command: &mut Command, input: Stdio, bound: Duration) -> io::Result<Ended> {
    let begin = Instant::now();
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut taps = [Tap::new(child.stdout.take())?, Tap::new(child.stderr.take())?];
    let ending = pidfd(&child)?;
    let mut status = None;
    while status.is_none() {
        let mut sources = vec![PollFd::new(&ending, PollFlags::IN)];
        sources.extend(taps.iter().filter_map(Tap::source));
        let out_of_time = !ready(&mut sources, begin + bound)?;
        let ended = !sources[0].revents().is_empty();
        // In this order: output written before the end is in the pipes now.
        for tap in &mut taps {
            tap.drain()?;
        }
        if out_of_time {
            end(&mut child);
            status = Some(OUT_OF_TIME);
        } else if ended {
            status = Some(code(child.wait()?));
        }
    }
    let [stdout, stderr] = taps.map(|tap| tap.text());
    Ok(Ended { status: status.unwrap_or(OUT_OF_TIME), stdout, stderr, took: begin.elapsed() })
}

/// Waits for a child to end; `None` after a timeout.
pub(crate) fn wait(child: &mut Child, bound: Duration) -> io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let ending = pidfd(child)?;
    if ready(&mut [PollFd::new(&ending, PollFlags::IN)], Instant::now() + bound)? {
        child.wait().map(Some)
    } else {
        Ok(None)
    }
}

/// Waits until one of the sources is readable; false after a timeout.
pub(crate) fn ready(sources: &mut [PollFd<'_>], deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(sources, Some(&left)) {
            Ok(count) => return Ok(count > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Returns a handle that becomes readable when the child ends, to poll with others.
pub(crate) fn pidfd(child: &Child) -> io::Result<OwnedFd> {
    Ok(pidfd_open(pid(child), PidfdFlags::empty())?)
}

/// Ends a child that entered a machine, and the processes it started there. Tools that enter a PID namespace
/// fork and must outlive the process inside. Otherwise the host's init has to reap it, which not every
/// container has.
pub(crate) fn end(child: &mut Child) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    for inner in children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
        // It may not lead a group, or may be gone already.
        let _ = kill_process_group(inner, Signal::KILL);
        let _ = kill_process(inner, Signal::KILL);
    }
    if !matches!(wait(child, END_BOUND), Ok(Some(_))) {
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(-1)
}

/// The read end of a pipe with the data received so far.
pub(crate) struct Tap {
    pipe: Option<fs::File>,
    seen: Vec<u8>,
}

impl Tap {
    pub(crate) fn new(pipe: Option<impl Into<OwnedFd>>) -> io::Result<Self> {
        let pipe = pipe.map(Into::into);
        if let Some(pipe) = &pipe {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
        }
        Ok(Self { pipe: pipe.map(fs::File::from), seen: Vec::new() })
    }

    /// Returns what to poll; `None` once the other end is closed.
    pub(crate) fn source(&self) -> Option<PollFd<'_>> {
        self.pipe.as_ref().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN))
    }

    /// Reads the available data without waiting.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        match pipe.read_to_end(&mut self.seen) {
            Ok(_) => self.pipe = None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A pseudo-terminal whose other side is closed.
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => self.pipe = None,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Waits until `find` returns a value; `None` after a timeout, or if the pipe is closed first.
    pub(crate) fn wait_for<T>(
        &mut self,
        deadline: Instant,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> io::Result<Option<T>> {
        loop {
            self.drain()?;
            if let Some(value) = find(&self.text()) {
                return Ok(Some(value));
            }
            let Some(source) = self.source() else { return Ok(None) };
            if !ready(&mut [source], deadline)? {
                return Ok(None);
            }
        }
    }

    /// Returns everything received since the start or the last [`Tap::forget`].
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    pub(crate) fn forget(&mut self) {
        self.seen.clear();
    }
}

/// Returns the last lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
