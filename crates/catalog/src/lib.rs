//! A catalog's text in, a validated product out.
//!
//! [`source`] knows the line of every value, [`structure`] compares it with the [`schema`] of the serde types in [`raw`],
//! and the rest is resolved with the [`rule`]s for single values into a [`model::Product`]. [`read()`] does all of it.

pub mod finding;
mod given;
pub mod model;
pub mod raw;
mod read;
mod resolve;
pub mod rule;
pub mod schema;
pub mod setting;
pub mod source;
pub mod structure;

pub use given::Given;
pub use read::read;
