//! Starts the watcher from the process that becomes the command. The watcher is the same program with a
//! socket as its standard input, over which it receives descriptors.
//!
//! A pidfd is opened before the command is executed, so that the watcher cannot mistake another process for
//! it. The command is executed only after the watcher has confirmed its start.
//!
//! The watcher is not in a terminal's foreground process group and has none of the command's descriptors:
//! Ctrl-C does not reach it, and when the command closes a pipe or lock, it is closed. It keeps standard
//! error, to report why a start failed, and standard output only if it copies to it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use base::failure::Failure;
use base::probe::options::Options;
use base::processes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::PidfdFlags;

use super::copy::{Stream, Target};

/// Time limit for the start of the other process.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Internal commands of this program.
pub(crate) const WATCH: &str = "watch";
/// The intermediate process.
pub(crate) const DETACH: &str = "detach";
/// Copies the output if the watcher dies.
pub(crate) const KEEP: &str = "keep";

/// What the watcher receives.
#[derive(Debug)]
pub(crate) struct Handed {
    /// Readable once the process has ended.
    pub process: OwnedFd,
    /// Pipes to copy from.
    pub streams: Vec<Stream>,
}

/// Starts the watcher of this process. If the watcher must read the command's output, this process's output
/// streams are pipes afterwards.
pub(crate) fn start_watcher(
    options: &Options,
    words: &[OsString],
    watchdog: Option<Duration>,
) -> io::Result<()> {
    let process = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    let mut pipes = Vec::new();
    if options.reads_output() {
        let same = same_file(rustix::stdio::stdout().as_fd(), rustix::stdio::stderr().as_fd());
        pipes.push((Target::Stdout, pipe_with(PipeFlags::CLOEXEC)?));
        if !same {
            pipes.push((Target::Stderr, pipe_with(PipeFlags::CLOEXEC)?));
        }
    }
    let mut command = Command::new("/proc/self/exe");
    let usec = watchdog.map_or(0, |w| w.as_micros());
    command.args([DETACH, WATCH, &processes::this().to_string(), &usec.to_string()]).args(words);
    let ends: Vec<_> = pipes.iter().map(|(target, (ours, _))| (*target, ours.as_fd())).collect();
    let mut between = start(command, process.as_fd(), &ends)?;
    between.0.wait()?;
    confirmed(&between.1)?;
    match pipes.as_slice() {
        [] => {}
        [(_, (_, write))] => {
            rustix::stdio::dup2_stdout(write)?;
            rustix::stdio::dup2_stderr(write)?;
        }
        [(_, (_, out)), (_, (_, err)), ..] => {
            rustix::stdio::dup2_stdout(out)?;
            rustix::stdio::dup2_stderr(err)?;
        }
    }
    Ok(())
}

/// Starts the process that copies the output if this process dies.
pub(crate) fn start_keeper(streams: &[Stream]) -> io::Result<()> {
    let process = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    let ends = streams.iter().map(|s| Ok((s.target(), s.second()?))).collect::<io::Result<Vec<_>>>()?;
    let ends: Vec<_> = ends.iter().map(|(target, fd)| (*target, fd.as_fd())).collect();
    let mut command = Command::new("/proc/self/exe");
    command.arg(KEEP);
    let (_, socket) = start(command, process.as_fd(), &ends)?;
    confirmed(&socket)
}

fn same_file(a: impl AsFd, b: impl AsFd) -> bool {
    let of = |fd: rustix::fd::BorrowedFd<'_>| rustix::fs::fstat(fd).map(|s| (s.st_dev, s.st_ino));
    matches!((of(a.as_fd()), of(b.as_fd())), (Ok(a), Ok(b)) if a == b)
}

type End<'a> = (Target, std::os::fd::BorrowedFd<'a>);

/// Starts the process and sends the descriptors; the letters of the message name them.
fn start(
    mut command: Command,
    process: std::os::fd::BorrowedFd<'_>,
    ends: &[End<'_>],
) -> io::Result<(std::process::Child, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    command.arg0("notify-helper").stdin(Stdio::from(theirs)).stderr(Stdio::inherit());
    command.stdout(if ends.is_empty() { Stdio::null() } else { Stdio::inherit() });
    let child = command.spawn()?;
    // Close the other end of the socket.
    drop(command);
    let letter = |target: &Target| if *target == Target::Stdout { b'o' } else { b'e' };
    let letters: Vec<u8> = [b'p'].into_iter().chain(ends.iter().map(|(target, _)| letter(target))).collect();
    let fds: Vec<_> = [process].into_iter().chain(ends.iter().map(|(_, fd)| *fd)).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    sendmsg(&ours, &[IoSlice::new(&letters)], &mut control, SendFlags::NOSIGNAL)?;
    Ok((child, ours))
}

/// Waits until the other process confirms its start.
fn confirmed(socket: &OwnedFd) -> io::Result<()> {
    poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&PATIENCE))?;
    let mut byte = [0];
    match rustix::net::recv(socket, &mut byte, RecvFlags::DONTWAIT) {
        Ok((1, _)) => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "its process ended early")),
    }
}

/// The intermediate process: starts the remaining arguments in a new session and exits.
pub(crate) fn detach(words: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    close_the_rest();
    let failed = |e: io::Error| Failure::failed(format!("cannot start the watcher: {e}"));
    rustix::process::setsid().map_err(|e| failed(e.into()))?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0("notify-helper").args(words).spawn().map(drop).map_err(failed)
}

/// Initializes the new process before it opens anything.
pub(crate) fn begin() {
    close_the_rest();
    // It was executed through a link, whose name process lists and the journal would show.
    let _ = rustix::thread::set_name(c"notify-helper");
}

/// Receives the descriptors and confirms that, so that the other process continues.
pub(crate) fn take() -> io::Result<Handed> {
    let socket = rustix::stdio::stdin().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let mut letters = [0; 3];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let length = recvmsg(&socket, &mut [IoSliceMut::new(&mut letters)], &mut control, flags)?.bytes;
    let mut fds = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let mut next =
        || fds.as_mut().and_then(Iterator::next).ok_or(io::Error::from(io::ErrorKind::InvalidInput));
    let process = next()?;
    let mut streams = Vec::new();
    for letter in &letters[1..length.max(1)] {
        let target = if *letter == b'o' { Target::Stdout } else { Target::Stderr };
        streams.push(Stream::new(next()?, target)?);
    }
    rustix::net::send(&socket, b"!", SendFlags::NOSIGNAL)?;
    Ok(Handed { process, streams })
}

/// Closes all inherited descriptors except the standard streams: sockets that systemd passed to the command,
/// locks and pipes of a shell.
fn close_the_rest() {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<i32> = open.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|n| *n > 2) {
        let _ = nix::unistd::close(number);
    }
}
