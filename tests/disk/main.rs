//! Disks: other tools must be able to read what we write, and refused input must be reported. The tools are
//! e2fsprogs, dosfstools, mtools, sfdisk, bmaptool, xz and zstd.
#![allow(clippy::unwrap_used, missing_docs)]

mod bake;
mod damage;
mod debian;
mod ext4;
mod fat;
mod hostile;
mod others;
mod publish;
mod shape;
mod supply;
