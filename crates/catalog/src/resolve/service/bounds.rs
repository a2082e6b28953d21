//! The bounds of a service: times, restarts, limits, slice and hardening.

use super::entry::Entry;
use crate::finding::describe_unknown;
use crate::model::slice_unit;
use crate::raw::{Hardening, LimitAction, Manager, Restart, ServiceType};
use crate::resolve::limits::{check_limits, render_limits, set_directives};
use crate::resolve::quote::quote_word;
use crate::rule::{directive, name, path, quantity};

/// Checks the times and the signal, which are copied without a change.
pub(super) fn check_times(entry: &mut Entry<'_, '_>) {
    let spec = entry.spec;
    entry.check_optional(&["restart-sec"], spec.restart_sec.as_ref(), quantity::check_time_span);
    entry.check_optional(&["timeout-start"], spec.timeout_start.as_ref(), quantity::check_timeout);
    entry.check_optional(&["timeout-stop"], spec.timeout_stop.as_ref(), quantity::check_timeout);
    entry.check_optional(&["kill-signal"], spec.kill_signal.as_ref(), quantity::check_signal);
}

/// Returns `Restart=`.
pub(super) fn resolve_restart(entry: &mut Entry<'_, '_>) -> &'static str {
    if entry.spec.restart == Some(Restart::Always) && entry.spec.r#type == Some(ServiceType::Oneshot) {
        let text = "is \"always\", which systemd refuses for a oneshot service: use \"on-failure\" or \"no\"";
        entry.refuse(&["restart"], text);
    }
    match entry.spec.restart {
        None | Some(Restart::No) => "no",
        Some(Restart::OnFailure) => "on-failure",
        Some(Restart::Always) => "always",
    }
}

/// Returns `StartLimit…=`: name and value.
pub(super) fn resolve_start_limit(entry: &mut Entry<'_, '_>) -> Vec<(String, String)> {
    let Some(limit) = &entry.spec.start_limit else { return Vec::new() };
    if limit.burst == 0 {
        let text = "is 0, which would switch the limit off: write at least 1";
        entry.refuse(&["start-limit", "burst"], text);
    }
    entry.check(&["start-limit", "interval"], quantity::check_interval(&limit.interval));
    if limit.action == Some(LimitAction::Reboot) && entry.scope == Manager::User {
        entry.refuse(&["start-limit", "action"], &directive::refuse_reboot("reboot"));
    }
    let action = limit.action.map(|action| match action {
        LimitAction::None => "none",
        LimitAction::Reboot => "reboot",
    });
    set_directives([
        ("StartLimitBurst", Some(limit.burst.to_string())),
        ("StartLimitIntervalSec", Some(limit.interval.clone())),
        ("StartLimitAction", action.map(str::to_owned)),
    ])
}

/// Returns the directives of `limits`: name and value.
pub(super) fn resolve_limits(entry: &mut Entry<'_, '_>) -> Vec<(String, String)> {
    let Some(limits) = &entry.spec.limits else { return Vec::new() };
    check_limits(limits, |field, verdict| entry.check(&["limits", field], verdict));
    render_limits(limits)
}

/// Returns `Slice=`.
pub(super) fn resolve_slice(entry: &mut Entry<'_, '_>) -> Option<String> {
    let wanted = entry.spec.slice.as_ref()?;
    let slices = &entry.context.catalog.slice;
    if !slices.contains_key(wanted) {
        let text = describe_unknown("slice", wanted, slices.keys());
        entry.refuse(&["slice"], &text);
    }
    if entry.scope == Manager::User {
        entry.refuse(&["slice"], "works only in system scope: remove it, or use scope = \"system\"");
    }
    Some(slice_unit(&entry.product().name, wanted))
}

/// Returns the hardening profile.
pub(super) fn resolve_hardening(entry: &mut Entry<'_, '_>) -> Hardening {
    match (entry.scope, entry.spec.hardening) {
        (Manager::User, Some(Hardening::Ros | Hardening::Strict)) => {
            let text = "does not work in user scope: use \"user\" or \"none\"";
            entry.refuse(&["hardening"], text);
        }
        (Manager::System, Some(Hardening::User)) => {
            let text = "works only in user scope: use \"strict\", \"ros\" or \"none\"";
            entry.refuse(&["hardening"], text);
        }
        _ => {}
    }
    entry.spec.hardening.unwrap_or(match entry.scope {
        Manager::User => Hardening::User,
        Manager::System => Hardening::Strict,
    })
}

/// Returns `ReadWritePaths=`, quoted.
pub(super) fn resolve_write_paths(entry: &mut Entry<'_, '_>) -> Vec<String> {
    let paths = &entry.spec.write_paths;
    entry
        .check_list("write-paths", paths, |path| path::check_in_unit(path.strip_prefix('-').unwrap_or(path)));
    for (i, path) in paths.iter().enumerate() {
        entry.check_specifiers(&["write-paths", &i.to_string()], path);
    }
    paths.iter().map(|path| quote_word(path)).collect()
}

/// Returns `DeviceAllow=`.
pub(super) fn resolve_devices(entry: &mut Entry<'_, '_>) -> Vec<String> {
    entry.check_list("devices", &entry.spec.devices, name::check_device);
    entry.spec.devices.clone()
}
