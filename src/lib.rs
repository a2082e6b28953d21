//! What the programs on the machine share with each other and with the toolchain that packs them.
//!
//! Nothing here prints by the macros that panic when nobody listens; see [`say`].
//!
//! No templates and no packaging live here; see `ARCHITECTURE.md`. [`table`] is what programs and toolchain
//! share; [`launch`] is `run_stack` from beginning to end,
//! [`watch`] is `notify-helper run`, [`alert`] is `notify-helper alert`; the rest is what they are made of.

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod alert;
pub mod env_file;
pub mod environment;
pub mod expects;
pub mod failure;
pub mod launch;
pub mod leftovers;
pub mod lock;
pub mod manager;
mod moment;
pub mod notify;
pub mod only_while;
pub mod processes;
pub mod program;
pub mod say;
pub mod session;
pub mod setup;
pub mod show;
pub mod signals;
pub mod span;
pub mod supervisor;
pub mod table;
pub mod watch;
