//! The verbs of `cargo xtask`, one file each: parse, call the stages, say what was made.

pub mod bench;
pub mod check;
pub mod dist;
pub mod docs;
pub mod image;
pub mod inside;
pub mod key;
pub mod render;
pub mod repo;
pub mod schema;
pub mod test;
pub mod tryout;
