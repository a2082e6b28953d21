//! Copies the command's output through the watcher, unchanged and in order, and passes each line to a probe.
//!
//! If both streams of the command are the same, as in the journal, they share one pipe here, so that lines
//! stay in order. Nothing blocks: a slow reader slows down only the command, as it would without the watcher.
//! After the reader has closed, output is discarded, so that the command is not affected.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::SendFlags;

/// Bytes per read: the minimum that a writable pipe accepts without blocking.
const CHUNK: usize = 4096;

/// Longest line that is searched.
const LONGEST_LINE: usize = 8192;

/// The destination of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Stdout,
    Stderr,
}

#[derive(Debug)]
pub(crate) struct Stream {
    from: std::fs::File,
    target: Target,
    pending: Vec<u8>,
    line: Vec<u8>,
    ended: bool,
    gone: bool,
}

impl Stream {
    /// Creates a stream from the read end of a pipe and its destination.
    pub(crate) fn new(from: OwnedFd, target: Target) -> io::Result<Stream> {
        rustix::io::ioctl_fionbio(&from, true)?;
        let from = from.into();
        Ok(Stream { from, target, pending: Vec::new(), line: Vec::new(), ended: false, gone: false })
    }

    /// Duplicates the read end for the keeper.
    pub(crate) fn second(&self) -> io::Result<OwnedFd> {
        Ok(self.from.try_clone()?.into())
    }

    pub(crate) fn target(&self) -> Target {
        self.target
    }

    /// Returns whether all writers have closed the pipe and all output is copied.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended && self.pending.is_empty()
    }

    /// Returns the descriptor and events to poll.
    pub(crate) fn source(&self) -> (BorrowedFd<'_>, PollFlags) {
        if self.pending.is_empty() {
            (self.from.as_fd(), PollFlags::IN)
        } else {
            (target(self.target), PollFlags::OUT)
        }
    }

    /// Continues after an event. With `look`, passes each complete line to it.
    pub(crate) fn go_on(&mut self, look: Option<&mut dyn FnMut(&str)>) {
        if self.pending.is_empty() {
            let mut bytes = [0; CHUNK];
            match self.from.read(&mut bytes) {
                Ok(0) => self.ended = true,
                Ok(length) => {
                    self.pending.extend_from_slice(&bytes[..length]);
                    match look {
                        Some(look) => self.show(look),
                        None => self.line = Vec::new(),
                    }
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    return;
                }
                Err(_) => self.ended = true,
            }
        }
        self.pass_on();
    }

    fn pass_on(&mut self) {
        if self.gone {
            self.pending.clear();
        }
        if self.pending.is_empty() {
            return;
        }
        match write(self.target, &self.pending) {
            Ok(length) => drop(self.pending.drain(..length)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => {
                self.gone = true;
                self.pending.clear();
            }
        }
    }

    fn show(&mut self, look: &mut dyn FnMut(&str)) {
        let mut rest = self.pending.as_slice();
        while let Some(end) = rest.iter().position(|&b| b == b'\n') {
            keep(&mut self.line, &rest[..end]);
            look(&String::from_utf8_lossy(&self.line));
            self.line.clear();
            rest = &rest[end + 1..];
        }
        keep(&mut self.line, rest);
    }
}

fn keep(line: &mut Vec<u8>, more: &[u8]) {
    let room = LONGEST_LINE.saturating_sub(line.len());
    line.extend_from_slice(&more[..more.len().min(room)]);
}

fn target(target: Target) -> BorrowedFd<'static> {
    match target {
        Target::Stdout => rustix::stdio::stdout(),
        Target::Stderr => rustix::stdio::stderr(),
    }
}

/// Writes without blocking. The journal's socket is shared, so it cannot be switched to non-blocking mode; a
/// pipe or terminal accepts a chunk when it is ready, and a file always does.
fn write(to: Target, bytes: &[u8]) -> Result<usize, Errno> {
    match rustix::net::send(target(to), bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Err(Errno::NOTSOCK) => {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            match poll(&mut [PollFd::from_borrowed_fd(target(to), PollFlags::OUT)], Some(&now)) {
                Ok(0) => Err(Errno::AGAIN),
                _ => rustix::io::write(target(to), bytes),
            }
        }
        other => other,
    }
}
