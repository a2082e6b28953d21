//! A catalog's text in, a validated product out.

pub mod finding;
pub mod model;
pub mod raw;
pub mod rule;
pub mod schema;
pub mod setting;
pub mod source;
pub mod structure;
