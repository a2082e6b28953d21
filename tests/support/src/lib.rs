//! What the tests share.
#![allow(clippy::unwrap_used, missing_docs)]

pub mod account;
pub mod cases;
pub mod command;
pub mod made;
pub mod packages;
pub mod robot;
pub mod scratch;

pub use cases::draw_cases;
