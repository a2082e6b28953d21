//! Starts, stops and watches the services of a product: [`executor`] uses systemd's D-Bus API, [`cli`] is the
//! command line.

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
pub mod executor;
