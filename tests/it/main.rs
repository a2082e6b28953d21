//! The integration tests: black-box tests of the real programs, and valid and invalid catalogs.
#![allow(clippy::unwrap_used, missing_docs)]

mod catalog;
mod chrootless;
mod dist;
mod docs;
mod environment;
mod examples;
mod house;
mod image_root;
mod image_tree;
mod inject;
mod lint;
mod lock;
mod payload;
mod plain;
mod repo;
mod reproducible;
mod settings;
mod verbs;
