//! Images of memory cards: takes packages and a board, makes a file that a machine boots from.

pub mod archive;
pub mod bake;
pub mod bmap;
pub mod board;
pub mod boot;
pub mod card;
pub mod check;
pub mod disk;
pub mod ext4;
pub mod fat;
pub mod lock;
pub mod mbr;
pub mod pack;
pub mod report;
pub mod root;
pub mod tree;
