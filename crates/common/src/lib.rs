//! Helpers that several stages of the toolchain use. They depend on no stage.

pub mod checksum;
pub mod glob;
pub mod parallel;
pub mod unpack;
