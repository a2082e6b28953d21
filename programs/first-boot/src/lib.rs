//! A card's first boot: what `first-boot` does, each verb from beginning to end.
//!
//! Takes the card as it was flashed and what a person wrote into [`FILE`] on its boot partition; makes a machine of its
//! own that can be reached. Whatever it does may be broken off at any moment and is done again by the next boot; what
//! is done already is left alone.
//!
//! [`settings`] is what may be written there, the same for the machine and for whoever checks a file before the card is
//! flashed; [`apply`] does it; [`grow`] and [`mbr`] are about the card's size; [`overlay`] is the root that
//! nothing is written to.

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

/// What people edit, on the boot partition.
pub const FILE: &str = "custom.toml";
/// What is wrong with it, beside it.
pub const ERRORS: &str = "custom-errors.txt";
/// The boot partition.
pub const BOOT: &str = "/boot/firmware";
