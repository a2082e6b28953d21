//! The integration tests: the real programs, black box; and catalogs, good and bad.
#![allow(clippy::unwrap_used, missing_docs)]

mod catalog;
mod chrootless;
mod dist;
mod docs;
mod examples;
mod house;
mod image_root;
mod image_tree;
mod inject;
mod lint;
mod plain;
mod repo;
mod reproducible;
mod settings;
mod verbs;
