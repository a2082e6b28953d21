//! Helpers shared by the stages of the toolchain; they depend on none of them.

pub mod checksum;
pub mod glob;
pub mod parallel;
pub mod unpack;
