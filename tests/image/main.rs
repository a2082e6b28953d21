//! Finished images: what is looked for in them, and that they boot, also after the current was cut.
#![allow(clippy::unwrap_used, missing_docs)]

mod bake;
mod boot;
mod check;
mod cut;
mod kernels;
mod sample;
mod size;
