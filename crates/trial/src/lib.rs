//! Opens, checks and boots finished images in an emulator.

pub mod boot;
pub mod card;
pub mod check;
