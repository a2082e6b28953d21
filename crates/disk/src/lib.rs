//! Partition tables and file systems: reading, writing and compression.

pub mod bmap;
pub mod ext4;
pub mod fat;
pub mod layout;
pub mod mbr;
pub mod pack;
pub mod tree;
