//! The service manager's end of a notification socket.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// Longer than anything takes on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

/// The socket.
pub struct Manager(UnixDatagram);

impl Manager {
    /// A socket in a file; the path must be short.
    pub fn bind(path: &Path) -> Manager {
        Manager::of(UnixDatagram::bind(path).unwrap())
    }

    /// This socket.
    pub fn of(socket: UnixDatagram) -> Manager {
        socket.set_read_timeout(Some(BOUND)).unwrap();
        Manager(socket)
    }

    /// The next message, with the descriptor that came along.
    pub fn next(&self) -> (String, Option<OwnedFd>) {
        self.next_within(BOUND).unwrap()
    }

    /// The same, if it comes in time.
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

    /// The next message and its barrier, which is confirmed.
    pub fn told(&self) -> String {
        // The barrier of a message that came just before a wait was over is its own.
        let mut message = self.next().0;
        while message == "BARRIER=1" {
            message = self.next().0;
        }
        let (barrier, fd) = self.next();
        assert_eq!((barrier.as_str(), fd.is_some()), ("BARRIER=1", true));
        message
    }

    /// Takes messages with their barriers until one begins so.
    #[track_caller]
    pub fn wait_for(&self, begin: &str) -> String {
        loop {
            let message = self.told();
            if message.starts_with(begin) {
                return message;
            }
        }
    }

    /// Confirms everything from now on, and forgets it.
    pub fn confirm(&self) {
        let manager = Manager::of(self.0.try_clone().unwrap());
        std::thread::spawn(move || while manager.next_within(BOUND).is_some() {});
    }

    /// Every message that comes within this time.
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
