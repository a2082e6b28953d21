//! Sends notifications to the service manager, over the socket in `NOTIFY_SOCKET`.
//!
//! Each message comes with a barrier: the manager closes a pipe once it has read everything before. Without
//! the barrier, a message from a process that exits at once could be lost, because the manager could not
//! identify its sender. Errors are ignored, so that a launch does not fail because of them.

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

/// Time limit for the confirmation; a manager that takes longer is busy.
const CONFIRMATION: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Time limit for a place in the manager's queue.
const QUEUE: Duration = Duration::from_secs(2);

/// The socket, if there is one.
#[derive(Debug)]
pub struct Notifier(Option<(OwnedFd, SocketAddrUnix)>);

impl Notifier {
    /// Opens the socket in `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
    pub fn from_environment() -> Notifier {
        let name = std::env::var_os("NOTIFY_SOCKET");
        Notifier(name.as_deref().and_then(address).and_then(|address| {
            let flags = SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None).ok()?;
            // A hanging manager reads nothing, and its queue is short.
            sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(QUEUE)).ok()?;
            Some((socket, address))
        }))
    }

    /// Sends `READY=1` and a status text.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// Sends a status text.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={status}"));
    }

    /// Sends `STOPPING=1` and a status text, after the launch has ended.
    pub fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\nSTATUS={status}"));
    }

    /// Sends assignments, one per line, and waits for the confirmation.
    pub fn send(&self, message: &str) {
        drop(self.begin(message));
    }

    /// Sends assignments without waiting, for a process that keeps running.
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

/// A message that the manager may not have read yet. Dropping it waits for the confirmation.
#[derive(Debug)]
#[must_use = "dropped at once, it is waited for"]
pub struct Unconfirmed(OwnedFd);

impl Drop for Unconfirmed {
    fn drop(&mut self) {
        // Signals are blocked and do not interrupt this.
        let _ = poll(&mut [PollFd::new(&self.0, PollFlags::empty())], Some(&CONFIRMATION));
    }
}

fn address(name: &OsStr) -> Option<SocketAddrUnix> {
    match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddrUnix::new_abstract_name(rest).ok(),
        path @ [b'/', ..] => SocketAddrUnix::new(path).ok(),
        // systemd also supports `vsock:` addresses, for the host of a virtual machine, which is not needed
        // here.
        _ => None,
    }
}
