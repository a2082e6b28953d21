//! Drop-ins: settings of programs and units that belong to the system.
//!
//! Only files in drop-in folders are allowed, so that no package replaces the file of another, and an administrator can
//! replace them in `/etc`.

use super::report::Report;
use crate::finding::{describe_invalid, quote};
use crate::model::DropIn;
use crate::raw::Catalog;
use crate::rule::path;
use crate::rule::text::{self, Verdict};

/// Suffixes of files that describe the network.
const NETWORK: [&str; 3] = ["network", "link", "netdev"];

pub(super) fn resolve_drop_ins(catalog: &Catalog, report: &mut Report<'_>) -> Vec<DropIn> {
    let mut drop_ins = Vec::new();
    for (path, drop_in) in &catalog.drop_in {
        let at = ["drop-in", path];
        report.check(&at, check_path(path, &catalog.product.name));
        report.check(&["drop-in", path, "why"], text::check_comment(&drop_in.why));
        if drop_in.settings.values().all(|section| section.is_empty()) {
            report.refuse(&at, "is empty: write sections with settings, or remove it");
        }
        let mut sections = Vec::new();
        for (section, settings) in &drop_in.settings {
            report.check(&["drop-in", path, "settings", section], check_word(section));
            let mut lines = Vec::new();
            for (key, value) in settings {
                let at = ["drop-in", path, "settings", section, key];
                report.check(&at, check_word(key));
                for value in value.lines() {
                    // An empty value resets a list.
                    report.check(&at, if value.is_empty() { Ok(()) } else { text::check_setting(&value) });
                    lines.push((key.clone(), value));
                }
            }
            sections.push((section.clone(), lines));
        }
        drop_ins.push(DropIn { path: path.clone(), why: drop_in.why.trim().to_owned(), sections });
    }
    drop_ins
}

/// Checks that the file is in a drop-in folder.
fn check_path(value: &str, product: &str) -> Verdict {
    path::check_plain(value)?;
    let parts: Vec<&str> = value.split('/').skip(1).collect();
    let ending =
        |name: &str| name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, e)| e.to_owned());
    let is = |name: &str, endings: &[&str]| ending(name).is_some_and(|e| endings.contains(&e.as_str()));
    let fits = match parts.as_slice() {
        ["usr", "lib", "systemd", "network", name] => is(name, &NETWORK),
        ["usr", "lib", "systemd", "system" | "user", folder, name] => {
            is(folder, &["d"]) && is(name, &["conf"])
        }
        ["usr", "lib", "systemd", folder, name] => folder.ends_with(".conf.d") && is(name, &["conf"]),
        _ => false,
    };
    if !fits {
        return Err(format!(
            "{} is not the path of a drop-in: use /usr/lib/systemd/NAME.conf.d/FILE.conf, \
             /usr/lib/systemd/system/UNIT.d/FILE.conf or /usr/lib/systemd/network/FILE.network",
            quote(value)
        ));
    }
    if value == format!("/usr/lib/systemd/system.conf.d/50-{product}.conf") {
        return Err("is generated from [machine]: choose another file name".to_owned());
    }
    Ok(())
}

/// Checks the name of a section or a setting.
fn check_word(value: &str) -> Verdict {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=64).contains(&value.len()) && value.chars().all(plain) {
        return Ok(());
    }
    Err(describe_invalid("name", value, "up to 64 letters, digits, `-` and `_`"))
}
