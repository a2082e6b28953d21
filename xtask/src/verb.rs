//! The subcommands of `cargo xtask`, one file each: they parse arguments, call the stages and print the
//! results.

pub mod bench;
pub mod check;
pub mod dist;
pub mod docs;
pub mod image;
pub mod inside;
pub mod key;
pub mod lock;
pub mod render;
pub mod repo;
pub mod schema;
pub mod test;
pub mod tryout;
