//! Helpers shared by the tests.
#![allow(clippy::unwrap_used, missing_docs)]

pub mod account;
pub mod cases;
pub mod command;
pub mod event;
pub mod made;
pub mod manager;
pub mod packages;
pub mod pages;
pub mod plain;
pub mod robot;
pub mod scratch;

pub use cases::draw_cases;
