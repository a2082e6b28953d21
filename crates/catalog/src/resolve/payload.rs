//! Payloads: what a package brings, and `${payload.NAME}` in the fields of services and roles.

use super::report::Report;
use crate::finding::{Findings, describe_invalid, describe_unknown, join_or, quote};
use crate::given::Given;
use crate::model::{Binary, Kind, Payload, Python};
use crate::raw::{self, Catalog, Files};
use crate::rule::text::{self, Verdict};
use crate::rule::{name, path};
use crate::source::Source;

/// Tables whose values may name a payload.
const TABLES: [&str; 3] = ["default", "service", "role"];
const START: &str = "${payload.";
/// Processors in Debian's spelling.
const PROCESSORS: [&str; 2] = ["amd64", "arm64"];
/// Directories below which a payload is installed.
const BASES: [&str; 4] = ["/usr/", "/etc/", "/opt/", "/srv/"];

/// Replaces `${payload.NAME}` by the payload's directory.
pub(crate) fn substitute(
    text: &mut toml::Table,
    catalog: &Catalog,
    given: &Given,
    source: &Source,
    findings: &mut Findings,
) {
    let report = &mut Report { source, findings };
    for table in TABLES {
        if let Some(value) = text.get_mut(table) {
            substitute_in(value, &mut vec![table.to_owned()], catalog, given, report);
        }
    }
}

fn substitute_in(
    value: &mut toml::Value,
    at: &mut Vec<String>,
    catalog: &Catalog,
    given: &Given,
    report: &mut Report<'_>,
) {
    match value {
        toml::Value::String(text) if text.contains(START) => {
            let (expanded, faults) = expand(text, catalog, given);
            *text = expanded;
            let at: Vec<&str> = at.iter().map(String::as_str).collect();
            faults.iter().for_each(|fault| report.refuse(&at, fault));
        }
        toml::Value::Array(list) => {
            for (i, value) in list.iter_mut().enumerate() {
                at.push(i.to_string());
                substitute_in(value, at, catalog, given, report);
                at.pop();
            }
        }
        toml::Value::Table(table) => {
            for (key, value) in table.iter_mut() {
                at.push(key.to_owned());
                substitute_in(value, at, catalog, given, report);
                at.pop();
            }
        }
        _ => {}
    }
}

/// Returns the text with directories, and the faults. Some directory stands for an unknown payload, so that the rest of the
/// value can be checked as well.
fn expand(text: &str, catalog: &Catalog, given: &Given) -> (String, Vec<String>) {
    let (mut expanded, mut faults) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(START) {
        expanded.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            faults.push(format!("`{START}` has no end: write `{START}NAME}}`"));
            return (expanded, faults);
        };
        match catalog.payload.get(name) {
            Some(payload) => expanded.push_str(&directory(catalog, name, payload, given)),
            None => {
                faults.push(describe_unknown("payload", name, catalog.payload.keys()));
                expanded.push_str("/usr/lib");
            }
        }
        rest = behind;
    }
    expanded.push_str(rest);
    (expanded, faults)
}

/// Returns the directory that stands for a payload on the machine.
fn directory(catalog: &Catalog, name: &str, payload: &raw::Payload, given: &Given) -> String {
    match (&payload.otherwise, is_packed(name, payload, given)) {
        (Some(directory), false) => directory.clone(),
        _ => payload.to.clone().unwrap_or_else(|| format!("/usr/lib/{}/{name}", catalog.product.name)),
    }
}

/// Tells whether the package has the payload: a person brings it, or the catalog says where it is.
fn is_packed(name: &str, payload: &raw::Payload, given: &Given) -> bool {
    let has_source = match &payload.files {
        Some(Files::From(_)) => true,
        Some(Files::Some(files)) => files.from.is_some(),
        None => {
            let has_lock = payload.python.as_ref().is_some_and(|python| python.lock.is_some());
            has_lock || payload.cargo.is_some() || !payload.binary.is_empty()
        }
    };
    given.contains_key(name) || has_source
}

pub(super) fn resolve_payloads(catalog: &Catalog, given: &Given, report: &mut Report<'_>) -> Vec<Payload> {
    let mut payloads = Vec::new();
    for (name, payload) in &catalog.payload {
        report.check(&["payload", name], name::check_own(name));
        report.check_optional(&["payload", name, "to"], payload.to.as_ref(), check_directory);
        report.check_optional(&["payload", name, "otherwise"], payload.otherwise.as_ref(), path::check_plain);
        report.check_optional(&["payload", name, "mode"], payload.mode.as_ref(), path::check_mode);
        let dir = directory(catalog, name, payload, given);
        for (library, package) in &payload.libraries {
            report.check(&["payload", name, "libraries", library], name::check_package(package));
        }
        check_owner(catalog, name, payload, &dir, report);
        let kind = resolve_kind(name, payload, given, report);
        if let (Some(kind), true) = (kind, is_packed(name, payload, given)) {
            payloads.push(Payload {
                name: name.clone(),
                at: (report.findings.file().to_owned(), report.source.line(&["payload", name])),
                dir,
                kind,
                libraries: payload.libraries.clone().into_iter().collect(),
                user: payload.user.clone().filter(|user| user != "root"),
                mode: payload.mode.clone(),
            });
        }
    }
    payloads
}

fn resolve_kind(name: &str, payload: &raw::Payload, given: &Given, report: &mut Report<'_>) -> Option<Kind> {
    let kinds = [
        ("files", payload.files.is_some()),
        ("binary", !payload.binary.is_empty()),
        ("cargo", payload.cargo.is_some()),
        ("python", payload.python.is_some()),
    ];
    let written: Vec<&str> = kinds.iter().filter(|(_, is)| *is).map(|(kind, _)| *kind).collect();
    let given = given.get(name);
    match *written {
        [] if payload.otherwise.is_some() => {
            Some(Kind::Files { from: given.cloned().unwrap_or_default().into(), exclude: Vec::new() })
        }
        [] => {
            report.refuse(&["payload", name], "brings nothing: write `files`, `binary`, `cargo` or `python`");
            None
        }
        ["files"] => resolve_files(name, payload, given, report),
        ["binary"] => resolve_binary(name, payload, given, report),
        ["cargo"] => resolve_cargo(name, payload, given, report),
        ["python"] => resolve_python(name, payload, given, report),
        [first, second, ..] => {
            let text = format!("does not go with `{first}`: remove one of them, or make two payloads");
            report.refuse(&["payload", name, second], &text);
            None
        }
        [_] => None,
    }
}

fn resolve_files(
    name: &str,
    payload: &raw::Payload,
    given: Option<&String>,
    report: &mut Report<'_>,
) -> Option<Kind> {
    let (at, from, exclude) = match payload.files.as_ref()? {
        Files::From(from) => (vec!["payload", name, "files"], Some(from), Vec::new()),
        Files::Some(files) => {
            (vec!["payload", name, "files", "from"], files.from.as_ref(), files.exclude.clone())
        }
    };
    report.check_optional(&at, from, check_source);
    report.check_list(&["payload", name, "files", "exclude"], &exclude, check_pattern);
    if from.is_none() && given.is_none() && payload.otherwise.is_none() {
        let text = "`from` is missing: write the path of a file or directory, or `otherwise`, the directory that \
                    stands for the payload where the package does not have it";
        report.refuse(&["payload", name, "files"], text);
    }
    Some(Kind::Files { from: given.or(from).cloned().unwrap_or_default().into(), exclude })
}

fn resolve_binary(
    name: &str,
    payload: &raw::Payload,
    given: Option<&String>,
    report: &mut Report<'_>,
) -> Option<Kind> {
    if given.is_some() {
        let text = "has a checksum for each processor, so `--payload` cannot replace it: change the catalog";
        report.refuse(&["payload", name, "binary"], text);
    }
    let mut binaries = Vec::new();
    for (processor, binary) in &payload.binary {
        if !PROCESSORS.contains(&processor.as_str()) {
            let text = describe_unknown("processor", processor, PROCESSORS);
            report.refuse(&["payload", name, "binary", processor], &text);
        }
        report.check(&["payload", name, "binary", processor, "from"], check_source(&binary.from));
        report.check(&["payload", name, "binary", processor, "sha256"], check_sha256(&binary.sha256));
        binaries.push(Binary {
            processor: processor.clone(),
            from: binary.from.clone().into(),
            sha256: binary.sha256.to_ascii_lowercase(),
        });
    }
    Some(Kind::Binary(binaries))
}

fn resolve_cargo(
    name: &str,
    payload: &raw::Payload,
    given: Option<&String>,
    report: &mut Report<'_>,
) -> Option<Kind> {
    let cargo = payload.cargo.as_ref()?;
    report.check(&["payload", name, "cargo", "manifest"], check_source(&cargo.manifest));
    report.check_optional(&["payload", name, "cargo", "bin"], cargo.bin.as_ref(), check_word);
    report.check_list(&["payload", name, "cargo", "features"], &cargo.features, check_word);
    Some(Kind::Cargo {
        manifest: given.unwrap_or(&cargo.manifest).into(),
        bin: cargo.bin.clone(),
        features: cargo.features.clone(),
    })
}

fn resolve_python(
    name: &str,
    payload: &raw::Payload,
    given: Option<&String>,
    report: &mut Report<'_>,
) -> Option<Kind> {
    let python = payload.python.as_ref()?;
    report.check_optional(&["payload", name, "python", "lock"], python.lock.as_ref(), check_source);
    if python.lock.is_none() && given.is_none() && payload.otherwise.is_none() {
        let text = "`lock` is missing: write the path that `cargo xtask lock` writes it to, or `otherwise`, the directory \
                    that stands for the payload where the package does not have it";
        report.refuse(&["payload", name, "python"], text);
    }
    report.check_list(&["payload", name, "python", "versions"], &python.versions, |version| {
        parse_python(version).map(|_| ())
    });
    if python.versions.is_empty() {
        let text =
            "is empty: write the versions of the machines, such as [\"3.11\", \"3.13\"] for Debian 12 and 13";
        report.refuse(&["payload", name, "python", "versions"], text);
    }
    let mut versions: Vec<(u32, u32)> =
        python.versions.iter().filter_map(|version| parse_python(version).ok()).collect();
    versions.sort_unstable();
    versions.dedup();
    report.check_list(&["payload", name, "python", "requirements"], &python.requirements, check_requirement);
    report.check_list(&["payload", name, "python", "overrides"], &python.overrides, check_requirement);
    report.check_list(&["payload", name, "python", "exclude"], &python.exclude, check_pattern);
    for (package, license) in &python.licenses {
        report.check(&["payload", name, "python", "licenses", package], text::check_line(license));
    }
    Some(Kind::Python(Python {
        lock: given.or(python.lock.as_ref()).cloned().unwrap_or_default().into(),
        versions,
        requirements: python.requirements.clone(),
        overrides: python.overrides.clone(),
        exclude: python.exclude.clone(),
        licenses: python.licenses.clone().into_iter().collect(),
    }))
}

/// Only a directory of the product's own can belong to an account, because everything in it will.
fn check_owner(catalog: &Catalog, name: &str, payload: &raw::Payload, dir: &str, report: &mut Report<'_>) {
    let Some(user) = payload.user.as_ref().filter(|user| *user != "root") else { return };
    let at = ["payload", name, "user"];
    if !catalog.account.contains_key(user) {
        let known: Vec<&str> = catalog.account.keys().map(String::as_str).chain(["root"]).collect();
        report.refuse(&at, &describe_unknown("account", user, &known));
    }
    let product = &catalog.product.name;
    if !dir.split('/').any(|part| part == product) {
        let text = format!(
            "{} is not the product's own directory, and an account owns everything in its directory: choose one with \
             `/{product}` in `to`",
            quote(dir)
        );
        report.refuse(&at, &text);
    }
}

fn check_directory(value: &str) -> Verdict {
    path::check_plain(value)?;
    match BASES.iter().any(|base| value.strip_prefix(base).is_some_and(|below| !below.is_empty())) {
        true => Ok(()),
        false => Err(format!(
            "{} is not a directory of packages: choose one below {}",
            quote(value),
            join_or(BASES.map(str::to_owned))
        )),
    }
}

fn check_source(value: &str) -> Verdict {
    text::check_line(value)?;
    if value.starts_with('~') {
        return Err("`~` is not expanded: write a path relative to the catalog".to_owned());
    }
    Ok(())
}

fn check_pattern(value: &str) -> Verdict {
    text::check_line(value)?;
    if value.starts_with('/') || value.split('/').any(|part| part == "..") {
        return Err(
            "is compared with relative paths: write it without a leading `/` and without `..`".to_owned()
        );
    }
    Ok(())
}

fn check_sha256(value: &str) -> Verdict {
    match value.len() == 64 && value.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err(describe_invalid("SHA-256", value, "64 hexadecimal digits, as `sha256sum` prints them")),
    }
}

/// Options of pip would change where everything else comes from.
fn check_requirement(value: &str) -> Verdict {
    text::check_line(value)?;
    match value.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        true => Ok(()),
        false => Err(describe_invalid("requirement", value, "the name of a package, such as `flask>=3`")),
    }
}

/// Parses a version of Python: `3.11`.
fn parse_python(value: &str) -> Result<(u32, u32), String> {
    let minor = value.strip_prefix("3.").filter(|minor| !minor.starts_with('0') && minor.len() <= 2);
    match minor.and_then(|minor| minor.parse().ok()) {
        Some(minor @ 9..) => Ok((3, minor)),
        _ => Err(describe_invalid("version of Python", value, "3.9 or later, without a third number")),
    }
}

/// Names of programs and features.
fn check_word(value: &str) -> Verdict {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    match !value.is_empty() && !value.starts_with('-') && value.chars().all(plain) {
        true => Ok(()),
        false => Err(describe_invalid("name", value, "letters, digits, `_` and `-`")),
    }
}
