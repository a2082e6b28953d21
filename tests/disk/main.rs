//! Disks: what is written must be what others read, and what is refused must be said. The others are e2fsprogs,
//! dosfstools, mtools, sfdisk, bmaptool, xz and zstd.
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
