//! Payloads on booted machines: what a package brings runs there, changes with an upgrade, and leaves with the package. A
//! team's own catalogs and programs, as they would write them; both kinds of package, on every suite.
#![allow(clippy::unwrap_used, missing_docs)]

mod greenhouse;
mod native;
mod page;
mod python;
mod team;

use std::path::PathBuf;
use std::time::Duration;

/// Time limit for operations that take no time on an idle host.
const SOON: Duration = Duration::from_secs(10);

/// Returns the package of a format from those that `dist` printed.
fn of_format<'p>(packages: &'p [PathBuf], format: &str) -> &'p PathBuf {
    packages.iter().find(|path| path.extension().is_some_and(|e| e == format)).unwrap()
}
