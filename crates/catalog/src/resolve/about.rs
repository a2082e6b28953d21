//! What a package says about itself: the product and its releases.

use base::date::Date;

use super::report::Report;
use crate::finding::{describe_invalid, describe_unknown, quote};
use crate::model::Release;
use crate::raw::{self, Catalog};
use crate::rule::{about, name, text};

/// Splits a text at its empty lines, and joins the lines of each paragraph.
pub(super) fn split_paragraphs(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines
        .split(|line| line.is_empty())
        .filter(|lines| !lines.is_empty())
        .map(|lines| lines.join(" "))
        .collect()
}

pub(super) fn check_product(spec: &raw::Product, programs: &[String], report: &mut Report<'_>) {
    let at = |field| ["product", field];
    report.check(&at("name"), name::check_product(&spec.name));
    report.check(&at("package"), name::check_package(&spec.package));
    report.check(&at("summary"), about::check_summary(&spec.summary));
    report.check(&at("description"), text::check_prose(&spec.description));
    report.check(&at("maintainer"), about::check_maintainer(&spec.maintainer));
    report.check(&at("license"), about::check_license(&spec.license));
    report.check(&at("copyright"), text::check_line(&spec.copyright));
    report.check(&at("homepage"), about::check_homepage(&spec.homepage));
    report.check_list(&at("programs"), &spec.programs, |_| Ok(()));
    report.check_list(&at("commands"), &spec.commands, |_| Ok(()));
    for (i, program) in spec.programs.iter().enumerate() {
        if !programs.contains(program) {
            let text = describe_unknown("program", program, programs);
            report.refuse(&["product", "programs", &i.to_string()], &text);
        }
    }
    for (i, command) in spec.commands.iter().enumerate() {
        if !spec.programs.contains(command) {
            let text = format!("{} is not in product.programs: add it there, or remove it", quote(command));
            report.refuse(&["product", "commands", &i.to_string()], &text);
        }
    }
    report.check_list(&["product", "depends", "deb"], &spec.depends.deb, about::check_relation_deb);
    report.check_list(&["product", "depends", "rpm"], &spec.depends.rpm, about::check_relation_rpm);
}

pub(super) fn resolve_releases(catalog: &Catalog, report: &mut Report<'_>) -> Vec<Release> {
    if catalog.release.is_empty() {
        report.refuse(&["release"], "is missing: write a [[release]] table with version, date and changes");
    }
    let mut releases: Vec<Release> = Vec::new();
    for (i, release) in catalog.release.iter().enumerate() {
        let i = i.to_string();
        let at = |field| ["release", i.as_str(), field];
        report.check(&at("version"), name::check_version(&release.version));
        for (k, change) in release.changes.iter().enumerate() {
            report.check(&["release", &i, "changes", &k.to_string()], text::check_line(change));
        }
        if release.changes.is_empty() {
            report.refuse(&at("changes"), "is empty: list what changed, one line each");
        }
        if releases.iter().any(|r| r.version == release.version) {
            report.refuse(
                &at("version"),
                &format!("duplicate version {}: give each release its own", quote(&release.version)),
            );
        }
        let above = |r: &Release| name::parse_version(&r.version) < name::parse_version(&release.version);
        if releases.last().is_some_and(above) {
            report.refuse(
                &at("version"),
                "is higher than the version of the release above: put the newest release first",
            );
        }
        let Some(date) = Date::parse(&release.date) else {
            report.refuse(&at("date"), &describe_invalid("date", &release.date, "YYYY-MM-DD"));
            continue;
        };
        if releases.last().is_some_and(|newer| newer.epoch < date.epoch()) {
            report.refuse(
                &at("date"),
                "is later than the date of the release above: put the newest release first",
            );
        }
        releases.push(Release {
            version: release.version.clone(),
            date: release.date.clone(),
            date_rfc2822: date.rfc2822(),
            epoch: date.epoch(),
            changes: release.changes.clone(),
        });
    }
    releases
}
