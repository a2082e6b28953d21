//! A product that can be rendered: every reference is resolved, and every value fits the file that it goes into.
//!
//! [`crate::read()`] makes a [`Product`] out of a catalog. Decisions are taken there, so that templates hold nothing but
//! loops and presence tests.

mod environment;
mod name;
mod payload;
mod product;
mod service;
mod table;

pub use environment::{Role, Variable};
pub use name::{LAUNCHER, WATCHER, package_version, program_dir, slice_unit, unit_name, unit_stem};
pub use payload::{Binary, Kind, Payload, Python};
pub use product::{Account, Config, Directory, DropIn, Group, Lock, Permit, Product, Release, Slice};
pub use service::{Directives, Instance, Instances, Relations, Service, Socket};
