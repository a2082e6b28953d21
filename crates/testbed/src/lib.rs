//! Booted, disposable Debian machines for tests.
//!
//! A machine is a real systemd, D-Bus, polkit and logind in a container. [`Machine::on`] a [`Suite`] describes it,
//! [`Plan::boot`] boots it in well under a second, and dropping it removes it completely. It requires root and a
//! kernel with overlayfs and cgroup v2. It never touches the host's services, users or packages, except that it
//! installs the programs it requires (see `host.rs`).
//!
//! ```no_run
//! use testbed::{Machine, Suite};
//!
//! # fn main() -> testbed::Result<()> {
//! let robot = Machine::on(Suite::Trixie).user("op", &["adm"]).boot()?;
//! robot.run("systemctl is-active dbus").ok();
//! robot.run_as("op", "systemctl stop dbus").fails();
//! # Ok(())
//! # }
//! ```
//!
//! The modules, each based on the ones above it:
//!
//! | noun | what it is |
//! |---|---|
//! | `cache` | results that are built once: roots and upgrades |
//! | `root` | a suite's file system, built by mmdebstrap |
//! | [`Stage`] | a private, writable view of a root, which removes everything when it is dropped |
//! | `boot` | one run of systemd on a stage |
//! | [`Machine`] | a stage and its current boot: what tests use |
//! | [`Command`], [`Output`], [`Session`], [`Mark`] | what happens on it |
//! | [`ros`] | a stand-in for ROS 2 to install on it |
//! | `upgrade` | the upgrade of a whole machine to another suite |

mod actions;
mod archive;
mod boot;
mod cache;
mod command;
mod console;
pub mod host;
mod journal;
mod machine;
mod moment;
mod output;
mod plan;
mod process;
mod root;
pub mod ros;
mod session;
mod stage;
mod suite;
mod tree;
mod upgrade;

pub use anyhow::{Error, Result};

pub use command::Command;
pub use journal::Mark;
pub use machine::Machine;
pub use moment::Answer;
pub use output::Output;
pub use plan::Plan;
pub use session::Session;
pub use stage::Stage;
pub use suite::{Suite, at_once};
