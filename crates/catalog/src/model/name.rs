//! Names that follow from those in the catalog.

/// The program that launches services.
pub const LAUNCHER: &str = "run_stack";

/// The program that probes services and reports failures.
pub const WATCHER: &str = "notify-helper";

/// Returns the folder of a product's programs: each product has its own, so that two on one machine do not collide.
pub fn program_dir(product: &str) -> String {
    format!("/usr/libexec/{product}")
}

/// Returns the name of a service's unit.
pub fn unit_name(product: &str, service: &str) -> String {
    format!("{}.service", unit_stem(product, service))
}

/// Returns the name of a service's unit without suffix and instance.
///
/// A service with the product's name is the product itself: its unit has that name alone.
pub fn unit_stem(product: &str, service: &str) -> String {
    if product == service { product.to_owned() } else { format!("{product}-{service}") }
}

/// Returns the name of a slice's unit.
pub fn slice_unit(product: &str, slice: &str) -> String {
    format!("{product}-{slice}.slice")
}

/// Returns a version as dpkg and rpm write it: a pre-release sorts before the release.
pub fn package_version(version: &str) -> String {
    version.replacen('-', "~", 1)
}
