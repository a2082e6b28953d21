//! Writes the `Cargo.toml` that cargo-deb and cargo-generate-rpm read, from a product and the files of its stage. It
//! contains metadata only; all text of a package comes from the catalog or from a template.

use catalog::model::Product;
use toml::{Table, Value};
use workspace::target::Target;

use crate::tree::Tree;

/// Returns the manifest of a stage. Paths in it are relative to the stage.
pub fn manifest(product: &Product, tree: &Tree) -> String {
    let release = product.release();
    let package = table([
        ("name", product.package.as_str().into()),
        ("version", release.version.as_str().into()),
        ("edition", "2024".into()),
        ("description", product.summary.as_str().into()),
        ("license", product.license.as_str().into()),
        ("homepage", product.homepage.as_str().into()),
        (
            "metadata",
            table([("deb", deb_metadata(product, tree)), ("generate-rpm", rpm_metadata(product, tree))]),
        ),
    ]);
    let manifest = Table::from_iter([
        ("package".to_owned(), package),
        // The packagers call cargo, which refuses a crate without a target.
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

fn deb_metadata(product: &Product, tree: &Tree) -> Value {
    let documentation = format!("usr/share/doc/{}", product.package);
    let mut assets = list_assets(tree, |source, destination, mode, _| {
        vec![source, destination.trim_start_matches('/'), mode].into()
    });
    for file in ["copyright", "changelog.gz"] {
        assets.push(vec![format!("deb/{file}"), format!("{documentation}/{file}"), "644".to_owned()].into());
    }
    if tree.0.contains_key("deb/lintian-overrides") {
        let path = format!("usr/share/lintian/overrides/{}", product.package);
        assets.push(vec!["deb/lintian-overrides".to_owned(), path, "644".to_owned()].into());
    }
    let accounts = tree.installed().any(|(path, _)| path.starts_with("/usr/lib/sysusers.d/"));
    let depends = depends(product, accounts);
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
        ("assets", assets.into()),
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

fn rpm_metadata(product: &Product, tree: &Tree) -> Value {
    let mut assets = list_assets(tree, |source, destination, mode, config| {
        let mut asset = Table::new();
        asset.insert("source".to_owned(), source.into());
        asset.insert("dest".to_owned(), destination.into());
        asset.insert("mode".to_owned(), mode.into());
        if config {
            asset.insert("config".to_owned(), "noreplace".into());
        }
        if destination.starts_with("/usr/share/man/") {
            asset.insert("doc".to_owned(), true.into());
        }
        asset.into()
    });
    assets.push(table([
        ("source", "deb/copyright".into()),
        ("dest", format!("/usr/share/licenses/{}/copyright", product.package).into()),
        ("mode", "644".into()),
    ]));
    let mut requires = Table::new();
    if !product.services.is_empty() {
        requires.insert("systemd".to_owned(), "*".into());
    }
    if !product.permits.is_empty() {
        requires.insert("polkit".to_owned(), "*".into());
    }
    if product.services.iter().any(|s| s.launch.is_some()) {
        requires.insert("bash".to_owned(), "*".into());
    }
    for relation in &product.depends_rpm {
        let (name, version) = relation.split_once(' ').unwrap_or((relation, "*"));
        requires.insert(name.to_owned(), version.into());
    }
    let mut metadata = Table::from_iter([
        ("name".to_owned(), product.package.as_str().into()),
        ("version".to_owned(), product.release().package_version().into()),
        ("release".to_owned(), "1".into()),
        ("summary".to_owned(), product.summary.as_str().into()),
        ("vendor".to_owned(), product.maintainer.split(" <").next().unwrap_or_default().into()),
        ("auto-req".to_owned(), "disabled".into()),
        ("requires".to_owned(), requires.into()),
        ("assets".to_owned(), assets.into()),
    ]);
    let scripts = [
        ("pre_install_script", "rpm/pre"),
        ("post_install_script", "rpm/post"),
        ("pre_uninstall_script", "rpm/preun"),
        ("post_uninstall_script", "rpm/postun"),
    ];
    for (key, path) in scripts.into_iter().filter(|(_, path)| tree.0.contains_key(*path)) {
        metadata.insert(key.to_owned(), path.into());
    }
    metadata.into()
}

/// Returns an entry for each installed file. `entry` takes source, destination, mode, and whether the file is
/// configuration.
fn list_assets(tree: &Tree, entry: impl Fn(&str, &str, &str, bool) -> Value) -> Vec<Value> {
    tree.installed()
        .map(|(path, file)| {
            entry(&format!("root{path}"), path, &format!("{:o}", file.mode), path.starts_with("/etc/"))
        })
        .collect()
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Table(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
