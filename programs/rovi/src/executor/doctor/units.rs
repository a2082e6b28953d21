//! Checks that units are as shipped, and that services with `boot` run.

use std::fs;
use std::path::{Path, PathBuf};

use base::bus::unit_path;
use base::diagnosis::Finding;
use base::failure::Failure;
use base::report::State;
use base::table::{Service, Table};
use zbus::zvariant::OwnedValue;

use crate::executor::doctor::{reinstall, word};
use crate::executor::message::{Call, Unanswered};
use crate::executor::snapshot;
use crate::executor::systemd::Systemd;
use crate::executor::unit::Unit;

const UNIT: &str = "org.freedesktop.systemd1.Unit";

/// Directories of administrators' units and drop-ins.
const SITES: [&str; 2] = ["/etc/", "/run/"];

/// Checks the files of the units.
pub(super) fn files(table: &Table, units: &[Unit], systemd: &mut Systemd) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for (service, unit) in table.services.iter().zip(units) {
        let found = one(table, service, unit, systemd)?;
        // One daemon-reload fixes all units.
        let known = |f: &Finding| findings.iter().any(|own: &Finding| own.fix == RELOAD && f.fix == RELOAD);
        findings.extend(found.into_iter().filter(|f| !known(f)).collect::<Vec<_>>());
    }
    Ok(findings)
}

const RELOAD: &str = "systemctl daemon-reload";

fn one(
    table: &Table,
    service: &Service,
    unit: &Unit,
    systemd: &mut Systemd,
) -> Result<Vec<Finding>, Failure> {
    let name = &service.unit;
    let shipped = table.files.iter().map(|f| &f.path).find(|p| p.ends_with(Path::new("system").join(name)));
    let [state, fragment, stale, drop_ins] = properties(systemd, name)?;
    let text = |value: Option<OwnedValue>| value.and_then(|v| String::try_from(v).ok()).unwrap_or_default();
    let (state, fragment) = (text(state), text(fragment));
    if unit.load == "not-found" {
        let what = format!("`{name}` is not installed, so {} cannot start", service.name);
        return Ok(vec![Finding::problem("unit", name, what, reinstall(table))]);
    }
    if unit.load == "masked" || state.starts_with("masked") {
        let runtime = if state == "masked-runtime" { " --runtime" } else { "" };
        let what = format!("`{name}` is masked, so {} cannot start", service.name);
        return Ok(vec![Finding::problem("unit", name, what, format!("systemctl unmask{runtime} {name}"))]);
    }
    let mut findings = Vec::new();
    if stale.and_then(|v| bool::try_from(v).ok()).unwrap_or_default() {
        let what = format!("the files of `{name}` have changed, and systemd has not reloaded them");
        findings.push(Finding::problem("unit", name, what, RELOAD));
    }
    let revert = format!("systemctl revert {name}");
    if shipped.is_some_and(|path| !fragment.is_empty() && !same(path, Path::new(&fragment))) {
        let what = format!("`{fragment}` replaces all of `{name}`, so upgrades have no effect on it");
        findings.push(Finding::problem("override", name, what, revert.clone()));
    }
    let drop_ins = drop_ins.and_then(|v| Vec::<String>::try_from(v).ok()).unwrap_or_default();
    let own = format!("/{name}.d/");
    let is_own = |path: &&String| path.contains(&own) && SITES.iter().any(|site| path.starts_with(site));
    if let Some(path) = drop_ins.iter().find(is_own) {
        let what = format!("`{path}` changes `{name}`, which may be intentional");
        findings.push(Finding::problem("drop-in", name, what, revert).note());
    }
    if service.boot && state == "disabled" {
        let what = format!("`{name}` is disabled: {} will not start at boot", service.name);
        findings.push(Finding::problem("boot", name, what, format!("systemctl enable {name}")));
    }
    Ok(findings)
}

/// Finds services that need a restart after an upgrade.
pub(super) fn pending(table: &Table) -> Vec<Finding> {
    let list = fs::read_to_string(snapshot::pending(table)).unwrap_or_default();
    let services = table.services.iter().filter(|s| list.lines().any(|line| line == s.unit));
    let finding = |s: &Service| {
        let what = format!(
            "`{}` still runs the version before the upgrade, because a restart would have stopped another \
             service: restart it when the robot may stop",
            s.unit
        );
        Finding::problem("restart", &s.unit, what, format!("systemctl restart {}", word(&s.unit)))
    };
    services.map(finding).collect()
}

/// Finds services that should have started at boot.
pub(super) fn boot(table: &Table, units: &[Unit]) -> Vec<Finding> {
    let finding = |(service, unit): (&Service, &Unit)| {
        let name = &service.unit;
        let masked = unit.load == "masked" || unit.load == "not-found";
        match unit.state() {
            _ if !service.boot || masked => None,
            State::Failed => {
                let what = format!("`{name}` has failed: {}", snapshot::reason(unit));
                Some(Finding::problem("boot", name, what, format!("systemctl restart {name}")))
            }
            State::Stopped => {
                let what = format!("`{name}` is stopped, but should run from boot on");
                Some(Finding::problem("boot", name, what, format!("systemctl start {name}")))
            }
            _ => None,
        }
    };
    table.services.iter().zip(units).filter_map(finding).collect()
}

fn properties(systemd: &mut Systemd, unit: &str) -> Result<[Option<OwnedValue>; 4], Unanswered> {
    let path = unit_path(unit);
    let names = ["UnitFileState", "FragmentPath", "NeedDaemonReload", "DropInPaths"];
    let calls = names.iter().map(|name| Call::property(&path, UNIT, name)).collect::<Result<Vec<_>, _>>()?;
    let mut values = [const { None }; 4];
    for (value, answer) in values.iter_mut().zip(systemd.calls(calls)) {
        match answer {
            Ok(answer) => *value = answer.body().deserialize::<OwnedValue>().ok(),
            Err(Unanswered::Refused(..)) => {}
            Err(lost) => return Err(lost),
        }
    }
    Ok(values)
}

/// Compares two paths; `/lib` is a symlink on most machines.
fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path));
    real(one) == real(other)
}
