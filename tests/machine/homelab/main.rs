//! Home Lab on booted machines: the package as it is built, two real gunicorn + flask services from PyPI under its units,
//! and a stand-in for what serves a model. A scenario's name begins with the requirement it shows (`l1_…`); all of them
//! run on every suite.
#![allow(clippy::unwrap_used, missing_docs)]

mod drop_in;
mod flood;
mod lab;
mod models;
mod policy;
mod power;
mod services;
