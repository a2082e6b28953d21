//! Clusters on booted machines: the built packages, the real HakuRiver from PyPI, and a stand-in for
//! KohakuRiver, which is not installed. A scenario's name begins with its requirements (`h6_…`); all
//! scenarios run on every suite.
#![allow(clippy::unwrap_used, missing_docs)]

mod bounds;
mod cluster;
mod customised;
mod dedicated;
mod host;
mod policy;
mod tasks;
