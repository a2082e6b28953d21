//! The toolchain: one catalog in, native packages out. `ARCHITECTURE.md` has the map; each module is the noun that
//! it makes.

pub mod catalog;
pub mod collision;
pub mod date;
pub mod deb;
pub mod dist;
pub mod finding;
pub mod golden;
pub mod manifest;
pub mod model;
pub mod package;
pub mod program;
pub mod render;
pub mod rpm;
pub mod rule;
pub mod sbom;
pub mod schema;
pub mod source;
pub mod stage;
pub mod structure;
pub mod target;
pub mod tool;
pub mod tree;
pub mod verb;
pub mod verify;
pub mod workspace;
