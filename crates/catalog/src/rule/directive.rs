//! Rules for directives: one must exist in its section, and have no field of its own.

use crate::finding::quote;
use crate::raw::Manager;
use crate::rule::text::Verdict;

/// Directives of systemd 252, the oldest supported version: `SECTION NAME` on each line.
const TABLE: &str = include_str!("directives.txt");

/// Directives that have a field of their own: section, name and field.
const FIELDS: [(&str, &str, &str); 49] = [
    ("Unit", "Description", "description"),
    ("Unit", "Documentation", "documentation"),
    ("Unit", "After", "after"),
    ("Unit", "Before", "before"),
    ("Unit", "Wants", "wants"),
    ("Unit", "Requires", "requires"),
    ("Unit", "RequiresOverridable", "requires"),
    ("Unit", "PartOf", "part-of"),
    ("Unit", "Requisite", "only-while"),
    ("Unit", "RequisiteOverridable", "only-while"),
    ("Unit", "StopPropagatedFrom", "only-while"),
    ("Unit", "OnFailure", "on-failure"),
    ("Unit", "StartLimitBurst", "start-limit"),
    ("Unit", "StartLimitIntervalSec", "start-limit"),
    ("Unit", "StartLimitAction", "start-limit"),
    ("Unit", "StartLimitInterval", "start-limit"),
    ("Service", "StartLimitBurst", "start-limit"),
    ("Service", "StartLimitInterval", "start-limit"),
    ("Service", "StartLimitAction", "start-limit"),
    ("Service", "Type", "type"),
    ("Service", "ExecStart", "exec"),
    ("Service", "User", "user"),
    ("Service", "Group", "user"),
    ("Service", "Environment", "environment"),
    ("Service", "EnvironmentFile", "role"),
    ("Service", "SyslogIdentifier", "syslog-identifier"),
    ("Service", "Slice", "slice"),
    ("Service", "Sockets", "socket"),
    ("Service", "Delegate", "tasks"),
    ("Service", "SupplementaryGroups", "account.NAME.groups"),
    ("Service", "WorkingDirectory", "working-directory"),
    ("Service", "Restart", "restart"),
    ("Service", "RestartSec", "restart-sec"),
    ("Service", "KillSignal", "kill-signal"),
    ("Service", "KillMode", "kill-signal"),
    ("Service", "TimeoutStartSec", "timeout-start"),
    ("Service", "TimeoutStopSec", "timeout-stop"),
    ("Service", "TimeoutSec", "timeout-start = …` and `timeout-stop"),
    ("Service", "WatchdogSec", "watchdog"),
    ("Service", "CPUQuota", "limits"),
    ("Service", "MemoryMax", "limits"),
    ("Service", "MemoryLimit", "limits"),
    ("Service", "TasksMax", "limits"),
    ("Service", "LimitNOFILE", "limits"),
    ("Service", "LimitNPROC", "limits"),
    ("Service", "ReadWritePaths", "write-paths"),
    ("Service", "ReadWriteDirectories", "write-paths"),
    ("Service", "DeviceAllow", "devices"),
    ("Install", "WantedBy", "boot"),
];

/// Directives whose words are names of units.
const UNITS: [&str; 14] = [
    "Also",
    "BindTo",
    "BindsTo",
    "Conflicts",
    "JoinsNamespaceOf",
    "OnSuccess",
    "PropagateReloadFrom",
    "PropagateReloadTo",
    "PropagatesReloadTo",
    "PropagatesStopTo",
    "ReloadPropagatedFrom",
    "RequiredBy",
    "Sockets",
    "Upholds",
];

/// Checks that a directive may be in a section.
pub fn check_name(section: &str, name: &str) -> Verdict {
    let field =
        |section: &str| FIELDS.iter().find(|(s, n, _)| *s == section && *n == name).map(|(_, _, f)| f);
    if let Some(field) = field(section) {
        return Err(format!("has its own field: write `{field} = …`"));
    }
    if list_directives().any(|(s, n)| s == section && n == name) {
        return Ok(());
    }
    if let Some((home, _)) = list_directives().find(|(_, n)| *n == name) {
        let hint = field(home).map_or_else(|| format!("move it to [{home}]"), |f| format!("write `{f} = …`"));
        return Err(format!("systemd ignores it in [{section}]: {hint}"));
    }
    let same = list_directives().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(_, n)| n);
    let hint =
        same.map_or_else(|| "see systemd.directives(7)".to_owned(), |n| format!("did you mean `{n}`?"));
    Err(format!("unknown directive in systemd 252: {hint}"))
}

/// Tells whether the words of a directive are names of units.
pub fn names_units(name: &str) -> bool {
    UNITS.contains(&name)
}

/// Checks the value of a directive that can do harm: a user's service manager cannot reboot the machine, and systemd
/// removes a runtime directory when its service stops.
pub fn check_value(name: &str, value: &str, scope: Manager, product: &str) -> Verdict {
    let own = |word: &str| word.split(['/', ':']).next() == Some(product);
    if name == "RuntimeDirectory" && value.split_whitespace().any(own) {
        return Err(format!(
            "systemd removes /run/{product} with its locks when the service stops: choose another directory"
        ));
    }
    let acts = ["FailureAction", "SuccessAction", "StartLimitAction", "JobTimeoutAction"].contains(&name);
    if acts && scope == Manager::User && value != "none" && !value.starts_with("exit") {
        return Err(refuse_reboot(value));
    }
    Ok(())
}

/// Describes the fault of a user service that acts on the machine.
pub fn refuse_reboot(value: &str) -> String {
    let value = quote(value);
    format!("a user's service manager cannot do {value}: use scope = \"system\", or remove it")
}

fn list_directives() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once(' '))
}
