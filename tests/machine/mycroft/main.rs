//! An assistant's life on booted machines: the package as it is built, the real message bus from PyPI, and stand-ins for
//! its clients, which connect to it. A scenario's name begins with the requirement it shows (`m1_…`); all of them run on
//! every suite.
#![allow(clippy::unwrap_used, missing_docs)]

mod assistant;
mod failure;
mod package;
mod system;
mod user;
