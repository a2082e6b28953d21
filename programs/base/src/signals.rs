//! Signals as file descriptors, with one rule: each launched process receives a stop signal exactly once,
//! whoever sent it.
//!
//! Three senders reach different processes. systemd (`KillMode=control-group`) signals every process of the
//! unit. Ctrl-C in a terminal reaches the foreground process group, but not processes that have left it.
//! `kill` reaches only this process. The kernel records the sender, so [`reach`] can determine to whom to
//! forward. A terminal that closes signals the session leader first, which may be this process, and the group
//! after that has ended; it sends SIGHUP, so no process has received SIGINT yet. One case is ambiguous: a
//! `kill` of the whole group (`kill -INT -PGID`, a shell's `kill %1`) looks like a `kill` of this process,
//! and is forwarded as such.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// `si_code` of signals from the kernel, such as Ctrl-C in a terminal (`SI_KERNEL`).
const FROM_KERNEL: i32 = 0x80;

/// A received signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The signal.
    pub signal: Signal,
    /// `si_code`.
    pub code: i32,
    /// `si_pid`: 0 when the sender is the kernel or outside our PID namespace.
    pub sender: i32,
}

/// Which other processes received a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Every process of the unit: there is nothing to forward.
    Everyone,
    /// The process group, but not processes that have left it.
    Group,
    /// No other process.
    OnlyUs,
}

/// Determines which other processes received the signal. `manager` is the systemd that started this process,
/// if it was systemd.
pub fn reach(arrival: Arrival, manager: Option<i32>) -> Reach {
    if arrival.code == FROM_KERNEL {
        if arrival.signal == Signal::SIGHUP { Reach::OnlyUs } else { Reach::Group }
    } else if manager == Some(arrival.sender) {
        Reach::Everyone
    } else {
        Reach::OnlyUs
    }
}

/// The signals of this process: blocked, and read from a descriptor. Children get the original mask.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    /// Blocks the handled signals. An ignored `SIGHUP` stays ignored, because `nohup` requests that.
    pub fn block(hangup_ignored: bool) -> io::Result<Signals> {
        let mut ours = SigSet::empty();
        let all = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGUSR1, Signal::SIGUSR2];
        all.into_iter().chain([Signal::SIGCHLD]).for_each(|s| ours.add(s));
        if !hangup_ignored {
            ours.add(Signal::SIGHUP);
        }
        let before = SigSet::thread_get_mask()?;
        ours.thread_block()?;
        let fd = SignalFd::with_flags(&ours, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Signals { fd, before })
    }

    /// Returns the next pending signal.
    pub fn next(&self) -> Option<Arrival> {
        loop {
            match self.fd.read_signal() {
                Ok(Some(info)) => {
                    let signal = Signal::try_from(info.ssi_signo as i32).ok()?;
                    return Some(Arrival { signal, code: info.ssi_code, sender: info.ssi_pid as i32 });
                }
                Err(Errno::EINTR) => {}
                _ => return None,
            }
        }
    }

    /// Returns the signal mask for children: the original one, without signals that must reach them.
    pub fn for_children(&self) -> SigSet {
        let mut mask = self.before;
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD].into_iter().for_each(|s| mask.remove(s));
        mask
    }

    /// Unblocks all signals, so that one can kill this process.
    pub fn unblock(&self) {
        let _ = SigSet::all().thread_unblock();
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The signals that were ignored when this process started, such as `SIGHUP` under `nohup`.
#[derive(Debug, Clone, Copy)]
pub struct Ignored(u64);

impl Ignored {
    /// Reads them from the kernel. Rust's runtime adds `SIGPIPE`.
    pub fn by_this_process() -> Ignored {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask =
            status.lines().find_map(|l| u64::from_str_radix(l.strip_prefix("SigIgn:")?.trim(), 16).ok());
        Ignored(mask.unwrap_or_default())
    }

    /// Creates an empty set.
    pub fn nothing() -> Ignored {
        Ignored(0)
    }

    /// Returns whether the signal is ignored.
    pub fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << (signal as i32 - 1)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(code: i32, sender: i32) -> Arrival {
        Arrival { signal: Signal::SIGINT, code, sender }
    }

    #[test]
    fn a_terminal_reaches_the_group() {
        assert_eq!(reach(arrival(0x80, 0), None), Reach::Group);
        assert_eq!(reach(arrival(0x80, 0), Some(1)), Reach::Group);
        let hangup = Arrival { signal: Signal::SIGHUP, ..arrival(0x80, 0) };
        assert_eq!(reach(hangup, None), Reach::OnlyUs);
    }

    #[test]
    fn the_manager_that_started_us_reaches_everyone() {
        assert_eq!(reach(arrival(0, 1), Some(1)), Reach::Everyone);
        assert_eq!(reach(arrival(0, 812), Some(812)), Reach::Everyone);
        // `systemctl kill --kill-value=` sends with sigqueue().
        assert_eq!(reach(arrival(-1, 1), Some(1)), Reach::Everyone);
    }

    #[test]
    fn anybody_else_reaches_only_us() {
        assert_eq!(reach(arrival(0, 4711), Some(1)), Reach::OnlyUs);
        assert_eq!(reach(arrival(0, 4711), None), Reach::OnlyUs);
        // Pid 1 did not start this process, so it signals no other process.
        assert_eq!(reach(arrival(0, 1), None), Reach::OnlyUs);
        // A sender outside this PID namespace, such as the host of a container.
        assert_eq!(reach(arrival(0, 0), Some(1)), Reach::OnlyUs);
        assert_eq!(reach(arrival(-6, 4711), None), Reach::OnlyUs);
    }
}
