//! How long, how often and how much: takes a service's times and limits, makes the directives for them.

use crate::model::service::Builder;
use crate::raw::{self, Hardening, LimitAction, Limits, Manager, Restart, ServiceType};
use crate::rule::text::Verdict;
use crate::rule::{directive, name, path, quantity};

impl Builder<'_, '_> {
    /// Checks the values that need nothing but a rule.
    pub(super) fn values(&mut self) {
        let spec = self.spec;
        self.optional(&["restart-sec"], &spec.restart_sec, quantity::time_span);
        self.optional(&["timeout-start"], &spec.timeout_start, quantity::timeout);
        self.optional(&["timeout-stop"], &spec.timeout_stop, quantity::timeout);
        self.optional(&["kill-signal"], &spec.kill_signal, quantity::signal);
        self.optional(&["frame"], &spec.frame, name::frame);
        if let (Some(directory), true) = (&spec.working_directory, spec.launch.is_empty()) {
            self.rule(&["working-directory"], path::in_unit(directory));
            self.specifier(&["working-directory"], directory);
        }
        if spec.restart == Some(Restart::Always) && spec.r#type == Some(ServiceType::Oneshot) {
            self.fault(
                &["restart"],
                "a oneshot service ends by itself, systemd refuses \"always\": use on-failure or no",
            );
        }
        if let Some(limit) = &spec.start_limit {
            if limit.burst == 0 {
                self.fault(
                    &["start-limit", "burst"],
                    "is 0, which would switch the limit off: write at least 1",
                );
            }
            self.rule(&["start-limit", "interval"], quantity::interval(&limit.interval));
            if limit.action == Some(LimitAction::Reboot) && self.scope == Manager::User {
                self.fault(&["start-limit", "action"], &directive::user_reboot("reboot"));
            }
        }
        if let Some(limits) = &spec.limits {
            self.optional(&["limits", "cpu-quota"], &limits.cpu_quota, quantity::percentage);
            self.optional(&["limits", "memory-max"], &limits.memory_max, quantity::memory);
            let counts =
                [("tasks-max", limits.tasks_max), ("nofile", limits.nofile), ("nproc", limits.nproc)];
            for (field, count) in counts {
                self.rule(&["limits", field], count.map_or(Ok(()), quantity::count));
            }
        }
        match (self.scope, spec.hardening) {
            (Manager::User, Some(Hardening::Ros | Hardening::Strict)) => {
                self.fault(
                    &["hardening"],
                    "needs the system's manager: use \"user\" or \"none\" in user scope",
                );
            }
            (Manager::System, Some(Hardening::User)) => {
                self.fault(&["hardening"], "is for a user's manager: use \"strict\", \"ros\" or \"none\"");
            }
            _ => {}
        }
    }

    pub(super) fn optional(&mut self, field: &[&str], value: &Option<String>, rule: fn(&str) -> Verdict) {
        if let Some(value) = value {
            self.rule(field, rule(value));
        }
    }
}

/// `StartLimit…=`: name and value.
pub(super) fn start_limit(spec: &raw::Service) -> Vec<(String, String)> {
    let Some(limit) = &spec.start_limit else { return Vec::new() };
    let action = match limit.action {
        None => None,
        Some(LimitAction::None) => Some("none"),
        Some(LimitAction::Reboot) => Some("reboot"),
    };
    pairs([
        ("StartLimitBurst", Some(limit.burst.to_string())),
        ("StartLimitIntervalSec", Some(limit.interval.clone())),
        ("StartLimitAction", action.map(str::to_owned)),
    ])
}

/// Resource limits: name and value of each directive.
pub(super) fn limits(limits: &Limits) -> Vec<(String, String)> {
    let limits = limits.clone();
    let number = |n: Option<u32>| n.map(|n| n.to_string());
    pairs([
        ("CPUQuota", limits.cpu_quota),
        ("MemoryMax", limits.memory_max),
        ("TasksMax", number(limits.tasks_max)),
        ("LimitNOFILE", number(limits.nofile)),
        ("LimitNPROC", number(limits.nproc)),
    ])
}

fn pairs<const N: usize>(list: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    list.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
