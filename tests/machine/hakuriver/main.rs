//! Clusters on booted machines: the packages as they are built, the real HakuRiver from PyPI, and a stand-in for
//! KohakuRiver, which is not there. A scenario's name begins with the requirements it shows (`h6_…`); all of them run on
//! every suite.
#![allow(clippy::unwrap_used, missing_docs)]

mod bounds;
mod cluster;
mod customised;
mod dedicated;
mod host;
mod policy;
mod tasks;
