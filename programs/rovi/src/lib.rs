//! Starts, stops and watches the services of a product: [`executor`] does it over systemd's bus, [`cli`] is its command
//! line.

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
pub mod executor;
