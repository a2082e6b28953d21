//! What the programs on the machine share with each other and with the toolchain that packs them.
//!
//! Nothing here prints by the macros that panic when nobody listens; see [`say`].
//!
//! No templates and no packaging live here; see `ARCHITECTURE.md`. [`table`] is what programs and toolchain
//! share; [`launch`] is `run_stack` from beginning to end,
//! [`watch`] is `notify-helper run`, [`alert`] is `notify-helper alert`; [`executor`] is what `rovi` does and [`rovi`] its
//! command line; the rest is what they are made of.

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod alert;
pub mod bounded;
pub mod cksum;
pub mod diagnosis;
pub mod effective;
pub mod env_file;
pub mod environment;
#[cfg(feature = "executor")]
pub mod executor;
pub mod expects;
pub mod failure;
pub mod field;
pub mod first_boot;
pub mod holders;
pub mod launch;
pub mod leftovers;
pub mod lock;
pub mod manager;
mod moment;
pub mod notify;
pub mod only_while;
pub mod plain;
pub mod processes;
pub mod program;
pub mod report;
#[cfg(feature = "executor")]
pub mod rovi;
pub mod say;
pub mod session;
pub mod setup;
pub mod show;
pub mod signals;
pub mod span;
pub mod supervisor;
pub mod table;
pub mod watch;
