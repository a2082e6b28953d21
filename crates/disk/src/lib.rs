//! Partition tables and file systems: written, read, compressed.

pub mod bmap;
pub mod ext4;
pub mod fat;
pub mod layout;
pub mod mbr;
pub mod pack;
pub mod tree;
