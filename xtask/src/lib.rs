//! The toolchain: one catalog in, native packages out. `ARCHITECTURE.md` has the map; each module is the noun that
//! it makes.

pub mod catalog;
pub mod date;
pub mod finding;
pub mod model;
pub mod render;
pub mod rule;
pub mod schema;
pub mod source;
pub mod structure;
pub mod tree;
