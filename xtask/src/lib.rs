//! The command line of the toolchain, with its subcommands and benches.

pub mod bench;
pub mod docs;
pub mod golden;
pub mod secret;
pub mod selection;
pub mod verb;
pub mod verify;
