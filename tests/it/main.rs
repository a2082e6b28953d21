//! The integration tests: the real programs, black box; and catalogs, good and bad.
#![allow(clippy::unwrap_used, missing_docs)]

mod catalog;
mod chrootless;
mod dist;
mod docs;
mod event;
mod examples;
mod first_boot;
mod image_root;
mod image_tree;
mod inject;
mod lint;
mod manager;
mod notify_helper;
mod plain;
mod repo;
mod reproducible;
mod rovi;
mod run_stack;
mod settings;
mod verbs;
