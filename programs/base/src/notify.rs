//! Tells the service manager how far we are, over the socket it named in `NOTIFY_SOCKET`.
//!
//! Each message goes with a barrier: the manager closes the pipe it was sent once it has read everything
//! before. Without that, a message whose sender exits at once may be lost, because the manager can no longer
//! tell whose it was. Nothing here fails a launch: who does not listen is not told.

use std::ffi::OsStr;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, sendmsg_addr, socket_with, sockopt,
};
use rustix::pipe::{PipeFlags, pipe_with};

/// How long we wait for the manager to confirm; it is busy, not gone, if it takes longer.
const CONFIRMATION: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// How long a message may wait for a place in the manager's queue.
const QUEUE: Duration = Duration::from_secs(2);

/// Where to send messages; perhaps nowhere.
#[derive(Debug)]
pub struct Notifier(Option<(OwnedFd, SocketAddrUnix)>);

impl Notifier {
    /// The manager's socket, if `NOTIFY_SOCKET` names one: a path, or `@` and an abstract name.
    pub fn from_environment() -> Notifier {
        let name = std::env::var_os("NOTIFY_SOCKET");
        Notifier(name.as_deref().and_then(address).and_then(|address| {
            let flags = SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None).ok()?;
            // A manager that hangs reads nothing, and its queue is short.
            sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(QUEUE)).ok()?;
            Some((socket, address))
        }))
    }

    /// `READY=1`, with a line for people.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// A line for people.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={status}"));
    }

    /// The launch has ended, and we are on our way out; with a line for people.
    pub fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\nSTATUS={status}"));
    }

    /// Assignments, one a line; waits until the manager has confirmed them.
    pub fn send(&self, message: &str) {
        drop(self.begin(message));
    }

    /// Assignments likewise, for a sender that lives on: it need not wait at once, only before it ends.
    pub fn begin(&self, message: &str) -> Option<Unconfirmed> {
        let (socket, address) = self.0.as_ref()?;
        let plain = &mut SendAncillaryBuffer::default();
        let message = [IoSlice::new(message.as_bytes())];
        sendmsg_addr(socket, address, &message, plain, SendFlags::NOSIGNAL).ok()?;
        let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC).ok()?;
        let fds = [theirs.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        let barrier = [IoSlice::new(b"BARRIER=1")];
        sendmsg_addr(socket, address, &barrier, &mut control, SendFlags::NOSIGNAL).ok()?;
        Some(Unconfirmed(ours))
    }
}

/// A message that the manager may not have read yet. Dropping it waits for that, within bounds.
#[derive(Debug)]
#[must_use = "dropped at once, it is waited for"]
pub struct Unconfirmed(OwnedFd);

impl Drop for Unconfirmed {
    fn drop(&mut self) {
        // Signals are blocked, so that this is cut short by nothing; they wait for their turn.
        let _ = poll(&mut [PollFd::new(&self.0, PollFlags::empty())], Some(&CONFIRMATION));
    }
}

fn address(name: &OsStr) -> Option<SocketAddrUnix> {
    match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddrUnix::new_abstract_name(rest).ok(),
        path @ [b'/', ..] => SocketAddrUnix::new(path).ok(),
        // systemd can also name a `vsock:` address: the host of a virtual machine is no one we report to.
        _ => None,
    }
}
