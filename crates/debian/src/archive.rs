//! A distribution's archive: its signed indices become a [`Universe`] of packages, and files that a lock names come
//! into the cache.

pub mod fetch;
pub mod index;
pub mod package;
pub mod relation;
pub mod solve;
pub mod version;

use self::package::Package;

/// All packages that there are to choose from, of one architecture.
#[derive(Debug, Clone, Default)]
pub struct Universe {
    /// In no order; several versions of a name are told apart by pocket and version.
    pub packages: Vec<Package>,
}
