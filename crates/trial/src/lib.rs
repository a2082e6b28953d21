//! Finished images: opened, checked, and booted in an emulator.

pub mod boot;
pub mod card;
pub mod check;
