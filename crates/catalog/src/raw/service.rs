//! The table of one service, or of a kind of service, as it is written.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::raw::boot::Boot;
use crate::raw::bounds::{Hardening, Limits};
use crate::raw::directive::Directives;
use crate::raw::failure::{OnFailure, OnUpgrade, Restart, StartLimit};
use crate::raw::guard::Guard;
use crate::raw::instances::{Instances, Socket};
use crate::raw::watch::{Ready, Watchdog};

/// A service, or a default table: every field may come from either.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Service {
    /// The default table whose fields this one starts from; a field written here wins (an empty list
    /// takes the other's list back), tables are merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#use: Option<String>,
    /// One line for people; a `%` in it is a percent sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Web or manual pages, besides the product's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documentation: Vec<String>,
    /// `system` (the default), `user` or `both`: which service manager runs it. In `both`, what a user's manager
    /// cannot do (`user`, hardening, devices, a reboot) is for the system's alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,

    /// One table, many units: `runner@1`, `runner@2`. Each instance is a file that root writes,
    /// `/etc/<product>/<service>/<instance>.env`, loaded after the role's; without it, it does not start. `%i` is its
    /// name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<Instances>,

    /// What `run_stack` launches, after the setup and under the lock: program and arguments, literally; `{name}`
    /// becomes the service's name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub launch: Vec<String>,
    /// What the unit runs itself: a program (absolute path, or one of the product's) and its arguments, with
    /// systemd's specifiers and `${VARIABLE}`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<String>,
    /// How systemd learns that it is up: `notify` for a launched service or one with `ready`, `exec` otherwise, when
    /// left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<ServiceType>,
    /// When a program that knows nothing of systemd is up: a probe of `notify-helper`, such as `tcp:127.0.0.1:80`,
    /// with systemd's specifiers and `${VARIABLE}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// How it is noticed that it hangs; then it is killed, and started again if `restart` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<Watchdog>,

    /// Its name in the journal; that of its program or unit when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syslog_identifier: Option<String>,
    /// Account that it runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Role whose environment file it loads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Further environment files, each read later than those before it; with a `-` in front it may be missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment_files: Vec<String>,
    /// Variables besides those of the role.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub environment: IndexMap<String, String>,
    /// Directory that it runs in. A launched service may name a variable: `${NAME}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// Shell scripts that a launched service sources first, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<Setup>,
    /// Lock that a launched service holds until its last process is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// File below the user's home that names the running launch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,

    /// Its door: systemd listens there, starts the service at the first connection, and passes connections on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<Socket>,
    /// Slice of this catalog that it runs in, together with all others that do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// It is a service manager of its user, in which that user starts tasks: see `task-manager`.
    /// It runs nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<bool>,
    /// The service that its tasks run in: with `task` in `/usr/libexec/<product>`, or as `sudo systemd-run --scope` of
    /// a program that knows nothing else, without any privilege.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_manager: Option<String>,

    /// Runs only while that service is active: the start fails at once when it is not (and never starts it), and
    /// it is stopped when that one stops, crashes or is restarted, and does not come back by itself. Where a permit lets
    /// others start the service, it needs `launch` and no `restart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_while: Option<String>,
    /// The service that stands for it and others: started with it, and stopped and restarted when that is; what happens
    /// to this one changes nothing there. A parent runs nothing, and its start fails when one of its children's does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Starts only once these services are ready, and fails if they are not. It does not start them, and stays as it
    /// is when they stop or are restarted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub once_ready: Vec<String>,
    /// Ordering: started after these services or units.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Ordering: started before these services or units.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// Started with it if they can be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<String>,
    /// Started with it; it fails if they do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// Stopped and restarted together with these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub part_of: Vec<String>,
    /// Started at boot, or in user scope at login, unless the administrator decides otherwise: `true`, `false` (nobody
    /// can enable it), or `"on-request"` (somebody has to enable it).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,

    /// Whether systemd starts it again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// Pause before such a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_sec: Option<String>,
    /// How many starts in which time, and what then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_limit: Option<StartLimit>,
    /// Signal that asks it to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_signal: Option<String>,
    /// Longest time until it is up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_start: Option<String>,
    /// Longest time until it is gone; then it is killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_stop: Option<String>,
    /// Services or units started when it fails; or `"alert"`: people are told, as `/etc/<product>/alert.conf` says.
    #[serde(skip_serializing_if = "OnFailure::is_empty")]
    pub on_failure: OnFailure,
    /// What an upgrade of the package does to it while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_upgrade: Option<OnUpgrade>,

    /// Bounds of what it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What it is locked out of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardening: Option<Hardening>,
    /// Paths that it may write to although the hardening says no; with a `-` in front one may be missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write_paths: Vec<String>,
    /// Devices that it may use although the hardening says no, such as `char-ttyUSB`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,

    /// A command that the executor asks before it stops or restarts the service or switches to another one ("not while
    /// moving"). It keeps people from mistakes; systemctl does not ask it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,

    /// Processes whose presence shows that it works: names of programs or of interpreted scripts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<String>,
    /// Fixed frame for visualisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<String>,
    /// Environment that other services should be running with: service, variable, value.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub expects: IndexMap<String, IndexMap<String, String>>,

    /// Any other directive, by section: the one escape hatch.
    #[serde(skip_serializing_if = "Directives::is_empty")]
    pub directives: Directives,
}

/// Which service manager runs a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The machine's.
    #[default]
    System,
    /// Each user's own.
    User,
    /// The machine's, and each user's own: two units from one table.
    Both,
}

impl Scope {
    /// Whose units there are.
    pub fn managers(self) -> &'static [Manager] {
        match self {
            Scope::System => &[Manager::System],
            Scope::User => &[Manager::User],
            Scope::Both => &[Manager::System, Manager::User],
        }
    }
}

/// The service manager of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// The machine's.
    System,
    /// A user's own.
    User,
}

impl Manager {
    /// Its name, and that of the folder of its units.
    pub fn name(self) -> &'static str {
        match self {
            Manager::System => "system",
            Manager::User => "user",
        }
    }
}

/// How systemd learns that a service is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceType {
    /// At once.
    Simple,
    /// When its program has been executed.
    Exec,
    /// When it says so.
    Notify,
    /// When it has ended; it stays active.
    Oneshot,
}

/// A shell script to source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Setup {
    /// Absolute path; `${NAME}` is expanded.
    pub path: String,
    /// What a person does when it is missing or fails; `${NAME}` is expanded.
    pub hint: String,
    /// The same as a shell command for root, where one is enough: what checks a machine prints it; `${NAME}` is expanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// The file that names a running launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Session {
    /// Path below the home directory.
    pub path: String,
    /// What it holds; `{name}` becomes the service's name.
    pub content: String,
}
