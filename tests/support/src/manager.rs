//! The service manager's end of a notification socket.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// The longest that anything takes on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

/// A notification socket.
pub struct Manager(UnixDatagram);

impl Manager {
    /// Binds a socket at a path, which must be short.
    pub fn bind(path: &Path) -> Manager {
        Manager::of(UnixDatagram::bind(path).unwrap())
    }

    /// Uses an existing socket.
    pub fn of(socket: UnixDatagram) -> Manager {
        socket.set_read_timeout(Some(BOUND)).unwrap();
        Manager(socket)
    }

    /// Returns the next message, with its file descriptor.
    pub fn next(&self) -> (String, Option<OwnedFd>) {
        self.next_within(BOUND).unwrap()
    }

    /// Returns the next message if it arrives in time.
    pub fn next_within(&self, bound: Duration) -> Option<(String, Option<OwnedFd>)> {
        self.0.set_read_timeout(Some(bound)).unwrap();
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        let length = loop {
            match recvmsg(&self.0, &mut buffers, &mut control, RecvFlags::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other.ok()?.bytes,
            }
        };
        let fd = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        Some((String::from_utf8_lossy(&bytes[..length]).into_owned(), fd))
    }

    /// Returns the next message and confirms its barrier.
    pub fn told(&self) -> String {
        // A message just before the end of a wait has its own barrier.
        let mut message = self.next().0;
        while message == "BARRIER=1" {
            message = self.next().0;
        }
        let (barrier, fd) = self.next();
        assert_eq!((barrier.as_str(), fd.is_some()), ("BARRIER=1", true));
        message
    }

    /// Receives messages with their barriers until one starts with this text.
    #[track_caller]
    pub fn wait_for(&self, begin: &str) -> String {
        loop {
            let message = self.told();
            if message.starts_with(begin) {
                return message;
            }
        }
    }

    /// Confirms and discards all further messages.
    pub fn confirm(&self) {
        let manager = Manager::of(self.0.try_clone().unwrap());
        std::thread::spawn(move || while manager.next_within(BOUND).is_some() {});
    }

    /// Returns every message that arrives within this time.
    pub fn told_within(&self, span: Duration) -> Vec<String> {
        let end = std::time::Instant::now() + span;
        let mut all = Vec::new();
        loop {
            let left = end.saturating_duration_since(std::time::Instant::now()).max(Duration::from_millis(1));
            match self.next_within(left) {
                Some((message, None)) => all.push(message),
                Some(_) => {}
                None => return all,
            }
        }
    }
}
