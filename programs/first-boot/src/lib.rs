//! The verbs of `first-boot`, which sets up a machine from a freshly flashed card and from [`FILE`] on its boot
//! partition.
//!
//! A power loss may interrupt any step; the next boot repeats it and skips what is complete.
//!
//! [`settings`] parses the file, on the machine and for `first-boot check`; [`apply`] applies it; [`grow`] and [`mbr`]
//! grow the root partition; [`overlay`] is the read-only root.

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod apply;
pub mod document;
pub mod durable;
pub mod encoding;
pub mod grow;
mod host;
mod locale;
pub mod mask;
pub mod mbr;
mod notice;
pub mod overlay;
pub mod read_only;
mod role;
pub mod rule;
pub mod secret;
pub mod settings;
mod ssh;
mod state;
mod template;
mod tool;
mod user;
mod wlan;

/// The settings file on the boot partition.
pub const FILE: &str = "custom.toml";
/// The list of errors next to it.
pub const ERRORS: &str = "custom-errors.txt";
/// Mount point of the boot partition.
pub const BOOT: &str = "/boot/firmware";
