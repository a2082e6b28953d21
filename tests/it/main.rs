//! The integration tests: the real programs, black box.
#![allow(clippy::unwrap_used, missing_docs)]

mod bench;
mod chrootless;
mod command;
mod dist;
mod docs;
mod lint;
mod reproducible;
mod run_stack;
mod scratch;
mod tryout;
mod verbs;
