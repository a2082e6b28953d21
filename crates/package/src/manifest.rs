//! The metadata of packages: the `Cargo.toml` that cargo-deb reads, and the relations of an .rpm. All text
//! comes from the catalog or from a template.

use catalog::model::Product;
use toml::{Table, Value};
use workspace::target::Target;

use crate::payload::Needs;
use crate::tree::Tree;

/// Returns the manifest for cargo-deb. Paths in it are relative to the stage.
pub fn manifest(product: &Product, tree: &Tree, needs: &Needs) -> String {
    let release = product.release();
    let package = table([
        ("name", product.package.as_str().into()),
        ("version", release.version.as_str().into()),
        ("edition", "2024".into()),
        ("description", product.summary.as_str().into()),
        ("license", product.license.as_str().into()),
        ("homepage", product.homepage.as_str().into()),
        ("metadata", table([("deb", deb_metadata(product, tree, needs))])),
    ]);
    let manifest = Table::from_iter([
        ("package".to_owned(), package),
        // cargo-deb calls cargo, which refuses a crate without a target.
        ("lib".to_owned(), table([("path", "nothing.rs".into())])),
        ("workspace".to_owned(), Value::Table(Table::new())),
    ]);
    toml::to_string(&manifest).expect("a table of plain values")
}

/// Returns the file name of a package in the convention of its format.
pub fn file_name(product: &Product, target: Target, deb: bool) -> String {
    let (package, version) = (&product.package, product.release().package_version());
    if deb {
        format!("{package}_{version}_{}.deb", target.deb)
    } else {
        format!("{package}-{version}-1.{}.rpm", target.rpm)
    }
}

fn deb_metadata(product: &Product, tree: &Tree, needs: &Needs) -> Value {
    let accounts = tree.installed().any(|(path, _)| path.starts_with("/usr/lib/sysusers.d/"));
    let mut depends = depends(product, accounts);
    depends.extend(needs.deb.iter().filter(|need| !product.depends_deb.contains(need)).cloned());
    table([
        ("name", product.package.as_str().into()),
        ("maintainer", product.maintainer.as_str().into()),
        ("copyright", product.copyright.as_str().into()),
        ("section", "misc".into()),
        ("priority", "optional".into()),
        ("revision", "".into()),
        ("depends", depends.join(", ").into()),
        ("extended-description", product.description.join("\n\n").into()),
        ("maintainer-scripts", "deb".into()),
        // Otherwise cargo-deb writes one of its own. The installed files are added later.
        (
            "assets",
            vec![Value::from(vec![
                "deb/copyright".to_owned(),
                format!("usr/share/doc/{}/copyright", product.package),
                "644".to_owned(),
            ])]
            .into(),
        ),
    ])
}

/// Returns the dependencies of a .deb; `accounts` says whether it creates users or groups.
pub fn depends(product: &Product, accounts: bool) -> Vec<String> {
    let mut depends = product.depends_deb.clone();
    if accounts {
        depends.push("systemd | systemd-standalone-sysusers | systemd-sysusers".to_owned());
    }
    if !product.permits.is_empty() {
        // Older versions do not read JavaScript rules, and would grant no permit.
        depends.push("polkitd (>= 121)".to_owned());
    }
    depends
}

/// Returns the relations of an .rpm that its files do not show.
pub fn rpm_requires(product: &Product) -> Vec<String> {
    let mut requires = Vec::new();
    if !product.services.is_empty() {
        requires.push("systemd".to_owned());
    }
    if !product.permits.is_empty() {
        requires.push("polkit".to_owned());
    }
    if product.services.iter().any(|s| s.launch.is_some()) {
        requires.push("bash".to_owned());
    }
    requires
        .extend(product.depends_rpm.iter().filter(|r| !requires.contains(r)).cloned().collect::<Vec<_>>());
    requires
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Table(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
