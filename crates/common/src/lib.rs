//! What the stages of the toolchain share, and that knows nothing of any of them.

pub mod checksum;
pub mod glob;
pub mod parallel;
pub mod unpack;
