//! The table of a service, or of a kind of service.

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

/// A service, or a default table: every field can be in either.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Service {
    /// Default table that this table starts from. A field that is written here replaces the one in the default
    /// table, and an empty list removes it; tables are merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#use: Option<String>,
    /// Description of the service in one line. Required. A `%` is a percent sign, not a specifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Web pages and man pages in addition to the product's own, such as `https://example.org/page` or
    /// `man:demo(8)`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documentation: Vec<String>,
    /// Service manager that runs the service: `"system"` (the default), `"user"`, or `"both"` for a system unit and
    /// a user unit of the same name. With `"both"`, the user unit leaves out what a user's service manager cannot
    /// do: `user`, hardening, devices, write paths and a reboot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,

    /// Instances of the service, such as `runner@1` and `runner@2`. Each has a file
    /// `/etc/<product>/<service>/<instance>.env` that only root can write; an instance without its file does not
    /// start. The file is loaded after that of the role. `%i` is the name of the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<Instances>,

    /// Command that `run_stack` launches after it has sourced `setup` and taken `lock`, as a list of a program and
    /// its arguments. The words are taken literally, except that `{name}` becomes the name of the service. A
    /// service has either `launch` or `exec`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub launch: Vec<String>,
    /// Command that the unit runs itself, as a list of a program and its arguments. The program is an absolute path
    /// or one of `product.programs`. systemd expands its specifiers and `${VARIABLE}`. A service has either
    /// `launch` or `exec`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<String>,
    /// Who brings the program of `exec`, such as `a virtual environment that an administrator makes`. Without this field,
    /// `cargo xtask check` warns about a program that neither the package nor one of its dependencies has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// How systemd learns that the service has started. The default is `notify` for a service with `launch` or
    /// `ready`, and `exec` for any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<ServiceType>,
    /// Probe of notify-helper(1) that tells when the service is ready, for a program that does not tell systemd
    /// itself. An example is `tcp:127.0.0.1:80`. systemd expands its specifiers and `${VARIABLE}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// How systemd notices that the service hangs. A service that hangs is killed, and restarted if `restart` says
    /// so. Not checked by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog: Option<Watchdog>,

    /// Name of the service in the journal. The default is the name of the unit for a service with `ready`, and the
    /// name of the program for any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syslog_identifier: Option<String>,
    /// Account of this catalog that the service runs as, or `root`. Required in system scope, except for a parent; not
    /// allowed in user scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Role whose environment file the service loads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Additional environment files. A variable in a later file replaces the same one in an earlier file. A file
    /// with `-` in front may be missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment_files: Vec<String>,
    /// Variables in addition to those of the role.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub environment: IndexMap<String, String>,
    /// Directory that the service runs in. With `launch`, it can contain variables: `${NAME}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// Shell scripts that `run_stack` sources before it launches the command, in this order. Only with `launch`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<Setup>,
    /// Lock that the service holds until its last process has ended. Only with `launch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// File in the home directory of the user that names the running service. Only with `launch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,

    /// Socket in front of the service: systemd listens on it, starts the service at the first connection, and
    /// passes connections on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<Socket>,
    /// Slice of this catalog that the service runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// Whether the service is a service manager in which its user starts tasks, instead of running a command of its
    /// own. The default is `false`. See `task-manager`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<bool>,
    /// Service with `tasks` in which this service starts its tasks, without any privilege: with
    /// `/usr/libexec/<product>/task`, or with `sudo systemd-run --scope` if a program cannot do otherwise. Both
    /// services have the same `user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_manager: Option<String>,

    /// Service without which this service does not run. The start fails at once if the other service is not active,
    /// and does not start it. When the other service stops, crashes or is restarted, this service is stopped, and
    /// stays stopped. If a permit lets others start this service, it needs `launch` and no `restart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_while: Option<String>,
    /// Service that stands for this one and others. Starting, stopping and restarting the parent does the same to
    /// its children; a child does not affect its parent. The parent has no command of its own, and its start fails
    /// if the start of a child fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Services that must be ready before this one starts. The start fails if they are not ready; it does not start
    /// them. This service keeps running when they stop or are restarted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub once_ready: Vec<String>,
    /// Services and units that this service starts after. A name without a suffix is a service of this catalog.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Services and units that this service starts before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// Services and units that are started together with this service. It starts even if they fail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<String>,
    /// Services and units that are started together with this service. It fails if they fail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// Services and units that this service is stopped and restarted with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub part_of: Vec<String>,
    /// Whether the service starts at boot, or at login in user scope: `true`, `false`, or `"on-request"` once it
    /// has been enabled. With `false`, the default, it cannot be enabled. An administrator can always disable it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,

    /// Whether systemd restarts the service when it has ended. The default is `"no"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// Time to wait before a restart, such as `500ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_sec: Option<String>,
    /// How often the service may start within a period, and what happens when it starts more often. By default, a
    /// service without `restart` has no limit, and any other has systemd's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_limit: Option<StartLimit>,
    /// Signal that stops the service, such as `SIGINT`. The default is `SIGTERM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_signal: Option<String>,
    /// Longest time until the service must have started, such as `1min` or `infinity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_start: Option<String>,
    /// Longest time until the service must have stopped; after it, the service is killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_stop: Option<String>,
    /// What happens when the service fails: `"alert"` alerts people in the way that `/etc/<product>/alert.conf`
    /// configures; a list names services and units to start.
    #[serde(skip_serializing_if = "OnFailure::is_empty")]
    pub on_failure: OnFailure,
    /// What an upgrade of the package does to the service while it runs. The default is `"restart"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_upgrade: Option<OnUpgrade>,

    /// Limits on the resources of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Hardening profile: what the service is locked out of. The default is `"strict"` in system scope and `"user"`
    /// in user scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardening: Option<Hardening>,
    /// Paths that the service may write to in spite of its hardening. A path with `-` in front may be missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write_paths: Vec<String>,
    /// Devices that the service may use in spite of its hardening, such as `char-ttyUSB` or `/dev/video0`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,

    /// Command that can refuse to stop or restart the service, or to switch from it to another one, for example
    /// while a robot moves. It protects operators from mistakes; `systemctl` does not run it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,

    /// Names of processes whose presence shows that the service works: programs, or scripts that an interpreter
    /// runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<String>,
    /// Fixed frame for visualization, such as `map`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<String>,
    /// Variables that other services should run with, by service and name, each with its value. A difference is
    /// shown to operators.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub expects: IndexMap<String, IndexMap<String, String>>,

    /// Directives of systemd that have no field of their own, by section, such as `directives.Service = { Nice = 5
    /// }`.
    #[serde(skip_serializing_if = "Directives::is_empty")]
    pub directives: Directives,
}

/// The service manager that runs a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The system's service manager.
    #[default]
    System,
    /// The service manager of each user.
    User,
    /// Both: a system unit and a user unit from one table.
    Both,
}

impl Scope {
    /// Returns the service managers that have a unit of the service.
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
    /// The system's service manager.
    System,
    /// The service manager of each user.
    User,
}

impl Manager {
    /// Returns the name of the manager, which is also that of the folder of its units.
    pub fn name(self) -> &'static str {
        match self {
            Manager::System => "system",
            Manager::User => "user",
        }
    }
}

/// How systemd learns that a service has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceType {
    /// Immediately.
    Simple,
    /// When the program has been executed.
    Exec,
    /// When the program tells systemd.
    Notify,
    /// When the program has ended. The service stays active.
    Oneshot,
}

/// A shell script that `run_stack` sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Setup {
    /// Absolute path of the script. Variables are expanded: `${NAME}`.
    pub path: String,
    /// What a person must do if the script is missing or fails. Variables are expanded: `${NAME}`.
    pub hint: String,
    /// Shell command that does it as root, if one command is enough. The check of a machine prints it. Variables
    /// are expanded: `${NAME}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// The file that names a running service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Session {
    /// Path of the file, relative to the home directory.
    pub path: String,
    /// Content of the file. `{name}` becomes the name of the service.
    pub content: String,
}
