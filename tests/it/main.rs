//! The programs and the toolchain as a person meets them.
#![allow(clippy::unwrap_used)]

mod catalog;
mod inject;
