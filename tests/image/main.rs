//! Finished images: static checks, boot tests, and boots after a power loss.
#![allow(clippy::unwrap_used, missing_docs)]

mod bake;
mod boot;
mod check;
mod cut;
mod kernels;
mod sample;
mod size;
