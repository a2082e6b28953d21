//! Code shared by the programs on the machine and the toolchain that packages them.
//!
//! Nothing here uses the printing macros, which panic if standard error is closed; see [`say`].

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod arguments;
pub mod bounded;
pub mod bus;
pub mod cksum;
pub mod date;
pub mod diagnosis;
pub mod effective;
pub mod env_file;
pub mod environment;
pub mod expects;
pub mod failure;
pub mod field;
pub mod holder;
pub mod leftovers;
pub mod lock;
pub mod manager;
pub mod moment;
pub mod notify;
pub mod plain;
pub mod probe;
pub mod proc_locks;
pub mod processes;
pub mod program;
pub mod report;
pub mod say;
pub mod signals;
pub mod span;
pub mod table;
