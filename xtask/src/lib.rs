//! The command line of the toolchain: a verb each, and what they are measured by.

pub mod bench;
pub mod docs;
pub mod golden;
pub mod secret;
pub mod selection;
pub mod verb;
pub mod verify;
