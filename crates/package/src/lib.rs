//! Builds native packages: takes validated products, and makes .deb and .rpm packages, checksums and bills of
//! materials.

pub mod cache;
pub mod collision;
pub mod copyright;
pub(crate) mod deb;
pub mod dist;
pub(crate) mod effort;
pub mod entry;
pub mod extra;
pub mod format;
pub mod manifest;
pub mod origin;
pub mod pack;
pub mod part;
pub mod payload;
pub mod program;
pub mod render;
pub mod rpm;
pub mod sbom;
pub mod stage;
pub mod tree;
