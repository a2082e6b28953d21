//! A robot on booted machines, with the built packages: what an operator, an administrator and a package
//! manager do, and what must never happen.
#![allow(clippy::unwrap_used, missing_docs)]

mod bridge;
mod doctor;
mod executor;
mod life;
mod lifecycle;
mod lifecycle_chroot;
mod lifecycle_deb;
mod lifecycle_rpm;
mod lifecycle_upgrade;
mod policy;
mod readme;
mod soak;
