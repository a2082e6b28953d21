//! The root partition.
