//! The program as a black box.
#![allow(clippy::unwrap_used, missing_docs)]

mod first_boot;
mod plain;
