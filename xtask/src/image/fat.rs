//! The boot partition.
