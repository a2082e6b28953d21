//! Checks rendered files with the programs that will read them: systemd, shellcheck and mandoc.
//!
//! systemd-analyze exits with 0 for unknown keys and invalid values, so any output is a failure.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Result, bail};
use catalog::model::Product;
use catalog::raw::{Hardening, Manager};
use package::stage::Stage;
use package::tree::Tree;
use testbed::host;
use xshell::{Shell, cmd};

/// Maximum exposure, in tenths, of a hardened service.
const EXPOSURE: &str = "25";

/// Units that every unit depends on implicitly.
const IMPLIED: [&str; 5] =
    ["sysinit.target", "basic.target", "shutdown.target", "multi-user.target", "default.target"];

/// Checks a product's rendered files in a scratch directory.
pub fn verify(product: &Product, tree: &Tree, dir: &Path) -> Result<()> {
    host::need(&[("systemd-analyze", "systemd"), ("shellcheck", "shellcheck"), ("mandoc", "mandoc")])?;
    Stage::write(tree, product.release().epoch, dir)?;
    let root = dir.join("root");
    stand_ins(product, &root)?;
    let sh = Shell::new()?;
    for service in product.units() {
        unit(&sh, service.scope, &service.unit, service.hardening != Hardening::None, &root)?;
    }
    for socket in product.services.iter().filter_map(|s| s.socket.as_ref()) {
        unit(&sh, Manager::System, &socket.unit, false, &root)?;
        unit(&sh, Manager::System, &socket.proxy, true, &root)?;
    }
    for slice in &product.slices {
        unit(&sh, Manager::System, &slice.unit, false, &root)?;
    }
    for manager in &product.alerts {
        unit(&sh, *manager, &format!("{}-alert@.service", product.name), true, &root)?;
    }
    if product.alerts.contains(&Manager::System) {
        // A mail system needs what hardening forbids.
        unit(&sh, Manager::System, &format!("{}-alert-mail@.service", product.name), false, &root)?;
    }
    for path in tree.0.keys() {
        let file = dir.join(path);
        let text = tree.0[path].bytes.as_slice();
        let script = path.starts_with("deb/") && text.starts_with(b"#!") || is_scriptlet(path);
        if script {
            quiet(path, cmd!(sh, "shellcheck --shell=sh {file}"))?;
        } else if text.starts_with(b"#!/bin/sh") || path.ends_with(".sh") {
            quiet(path, cmd!(sh, "shellcheck {file}"))?;
        } else if path.contains("/man/man") {
            quiet(path, cmd!(sh, "mandoc -Tlint -Wwarning {file}"))?;
        }
    }
    Ok(())
}

fn is_scriptlet(path: &str) -> bool {
    path.starts_with("rpm/") && !path.ends_with(".toml")
}

fn unit(sh: &Shell, manager: Manager, unit: &str, hardened: bool, root: &Path) -> Result<()> {
    let folder = manager.name();
    let scope = format!("--{folder}");
    let path = format!("/usr/lib/systemd/{folder}/{unit}");
    // A user manager cannot check units in another root.
    if manager == Manager::System {
        quiet(&path, cmd!(sh, "systemd-analyze verify --root={root} {scope} --man=no {path}"))?;
        if hardened {
            let analysis = cmd!(
                sh,
                "systemd-analyze security --offline=true --root={root} --threshold={EXPOSURE} --no-pager {unit}"
            );
            if let Err(error) = analysis.quiet().ignore_stderr().read() {
                bail!("{path}: exposure is above {EXPOSURE} tenths: {error}");
            }
        }
    } else {
        // It looks up programs on this machine, so the paths are replaced by those of stand-ins.
        let folder = root.with_file_name("user");
        fs::create_dir_all(&folder)?;
        let place = format!("{}/", root.display());
        for entry in fs::read_dir(root.join("usr/lib/systemd/user"))?.flatten() {
            let text = fs::read_to_string(entry.path())?;
            let line = |line: &str| match line.split_once("=") {
                Some((name, value)) if name.starts_with("Exec") => {
                    format!("{name}={}\n", value.replacen('/', &place, 1))
                }
                _ => format!("{line}\n"),
            };
            fs::write(folder.join(entry.file_name()), text.lines().map(line).collect::<String>())?;
        }
        let (file, search) = (folder.join(unit), format!("{}:", folder.display()));
        let verify = cmd!(sh, "systemd-analyze verify {scope} --man=no {file}");
        quiet(&path, verify.env("SYSTEMD_UNIT_PATH", search).env("XDG_RUNTIME_DIR", &folder))?;
    }
    Ok(())
}

/// Creates what the units refer to but the package does not contain: programs, and units of others.
fn stand_ins(product: &Product, root: &Path) -> Result<()> {
    let mut files: BTreeSet<String> =
        product.programs.iter().map(|p| format!("{}/{p}", product.program_dir)).collect();
    files.extend(
        product.units().map(|s| s.exec.split(' ').next().unwrap_or_default().trim_matches('"').to_owned()),
    );
    files.extend(["systemd", "systemd-socket-proxyd"].map(|own| format!("/usr/lib/systemd/{own}")));
    for file in files {
        let path = root.join(file.trim_start_matches('/'));
        if path.exists() {
            continue;
        }
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(&path, "#!/bin/sh\n")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    let named = product.units().flat_map(|s| {
        let r = &s.relations;
        [&r.after, &r.before, &r.wants, &r.requires, &r.part_of, &r.on_failure].into_iter().flatten()
    });
    // The product's own alert unit exists.
    for unit in named.map(String::as_str).filter(|unit| !unit.contains('%')).chain(IMPLIED) {
        let path = root.join("usr/lib/systemd/system").join(unit);
        if !path.exists() {
            fs::create_dir_all(path.parent().unwrap_or(root))?;
            let body = match unit.rsplit_once('.') {
                Some((_, "service")) => "[Service]\nExecStart=/bin/sh\n".to_owned(),
                // A mount unit's name is its path.
                Some((name, "mount")) => {
                    format!("[Mount]\nWhat=/dev/null\nWhere=/{}\n", name.replace('-', "/"))
                }
                _ => String::new(),
            };
            fs::write(&path, format!("[Unit]\nDescription=Stand-in\n{body}"))?;
        }
    }
    Ok(())
}

/// Runs a checker; any output is a failure.
fn quiet(what: &str, command: xshell::Cmd<'_>) -> Result<()> {
    let output = command.quiet().ignore_status().output()?;
    let messages = [output.stdout, output.stderr].concat();
    if !messages.is_empty() || !output.status.success() {
        bail!("{what}: {}: {}", output.status, String::from_utf8_lossy(&messages).trim_end());
    }
    Ok(())
}
