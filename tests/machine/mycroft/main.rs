//! An assistant on booted machines: the built package, the real message bus from PyPI, and stand-ins for its
//! clients, which connect to it. A scenario's name begins with its requirement (`m1_…`); all scenarios run on
//! every suite.
#![allow(clippy::unwrap_used, missing_docs)]

mod assistant;
mod failure;
mod package;
mod system;
mod user;
mod whole;
