//! A distribution's archive: its signed indices become a [`Universe`] of packages, and files named by a lock
//! are fetched into the cache.

pub mod fetch;
pub mod index;
pub mod package;
pub mod relation;
pub mod solve;
pub mod version;

use self::package::Package;

/// All available packages for one processor.
#[derive(Debug, Clone, Default)]
pub struct Universe {
    /// Unordered; a name may have several versions, distinguished by pocket and version.
    pub packages: Vec<Package>,
}
