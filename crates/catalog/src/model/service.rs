//! A unit and everything about it, as the templates print it.

use base::table;
use serde::Serialize;

use super::environment::Variable;
use crate::raw::{Hardening, Manager, OnUpgrade};

/// A unit and everything about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Service {
    /// The name that people type.
    pub name: String,
    /// The name of its unit.
    pub unit: String,
    /// One line.
    pub description: String,
    /// Its instances, if its unit is a template.
    pub instances: Option<Instances>,
    /// Its door.
    pub socket: Option<Socket>,
    /// `Slice=`.
    pub slice: Option<String>,
    /// Where it is a service manager for tasks: its runtime directory below `/run`.
    pub tasks: Option<String>,
    /// Where another one is, in which it starts tasks: that runtime directory.
    pub task_manager: Option<String>,
    /// Groups that its user joins before it starts, where they exist.
    pub joins: Vec<String>,
    /// The default tables that it comes from, nearest first.
    pub kinds: Vec<String>,
    /// Which service manager runs it.
    pub scope: Manager,
    /// `Documentation=`, one string each.
    pub documentation: Vec<String>,
    /// `ExecStart=`, quoted.
    pub exec: String,
    /// What `run_stack` does, if it is launched by it.
    pub launch: Option<table::Launch>,
    /// The lock that the launch holds.
    pub lock: Option<String>,
    /// `Type=`.
    pub r#type: String,
    /// Whether it runs under notify-helper, which reports for it.
    pub watched: bool,
    /// `SyslogIdentifier=`, where it is not the program's name.
    pub identifier: Option<String>,
    /// `WatchdogSec=`.
    pub watchdog: Option<String>,
    /// `User=`.
    pub user: Option<String>,
    /// `EnvironmentFile=`.
    pub environment_file: Option<String>,
    /// A user's own file beside it, which wins.
    pub own_environment_file: Option<String>,
    /// Further ones.
    pub environment_files: Vec<String>,
    /// `Environment=`, quoted, one string each.
    pub environment: Vec<String>,
    /// `WorkingDirectory=`, where it is not run_stack that goes there.
    pub working_directory: Option<String>,
    /// `StateDirectory=`, where it has a user to own it.
    pub state_directory: Option<String>,
    /// The unit that it cannot be without.
    pub only_while: Option<String>,
    /// The units that cannot be without it.
    pub dependents: Vec<String>,
    /// The unit that stands for it and others.
    pub parent: Option<String>,
    /// The units that this one stands for.
    pub children: Vec<String>,
    /// The units that must be ready for its start.
    pub once_ready: Vec<String>,
    /// Its place among other units.
    pub relations: Relations,
    /// Whether it starts at boot, or at login.
    pub boot: bool,
    /// Whether it can be enabled.
    pub install: bool,
    /// The unit that `WantedBy=` names when it does.
    pub boot_target: String,
    /// `Restart=`.
    pub restart: String,
    /// `RestartSec=`.
    pub restart_sec: Option<String>,
    /// Whether its starts are not counted: nothing but a person starts it again.
    pub uncounted: bool,
    /// `StartLimit…=`: name and value.
    pub start_limit: Vec<(String, String)>,
    /// `KillSignal=`.
    pub kill_signal: Option<String>,
    /// `TimeoutStartSec=`.
    pub timeout_start: Option<String>,
    /// `TimeoutStopSec=`.
    pub timeout_stop: Option<String>,
    /// What an upgrade does to it.
    pub on_upgrade: OnUpgrade,
    /// Whether a restart of it would stop a service that an upgrade must not touch.
    pub holds_kept: bool,
    /// Whether somebody who may not control it may start a service that cannot be without it.
    pub guarded: bool,
    /// Whether anybody but an administrator may control it.
    pub permitted: bool,
    /// Resource limits: name and value of each directive.
    pub limits: Vec<(String, String)>,
    /// Name of the hardening profile.
    pub hardening: Hardening,
    /// `ReadWritePaths=`.
    pub write_paths: Vec<String>,
    /// `DeviceAllow=`.
    pub devices: Vec<String>,
    /// What is asked before it is stopped for somebody.
    pub guard: Option<table::Guard>,
    /// Names of processes that show that it works.
    pub processes: Vec<String>,
    /// Fixed frame.
    pub frame: Option<String>,
    /// What other services should be running with.
    pub expects: Vec<table::Expects>,
    /// The escape hatch.
    pub directives: Directives,
}

/// Lists of units.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Relations {
    /// `After=`
    pub after: Vec<String>,
    /// `Before=`
    pub before: Vec<String>,
    /// `Wants=`
    pub wants: Vec<String>,
    /// `Requires=`
    pub requires: Vec<String>,
    /// `PartOf=`
    pub part_of: Vec<String>,
    /// `OnFailure=`
    pub on_failure: Vec<String>,
}

/// Lines of the escape hatch, by section.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Directives {
    /// Of `[Unit]`.
    pub unit: Vec<(String, String)>,
    /// Of `[Service]`.
    pub service: Vec<(String, String)>,
    /// Of `[Install]`.
    pub install: Vec<(String, String)>,
}

/// Units of one template.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instances {
    /// Where there is a file for each.
    pub directory: String,
    /// What a file has to say, and what that is.
    pub variables: Vec<(String, String)>,
    /// Those that the package brings.
    pub shipped: Vec<Instance>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// What that says.
    pub variables: Vec<Variable>,
}

/// A door: a socket unit, and a service that passes connections on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Socket {
    /// The name of the socket's unit.
    pub unit: String,
    /// The name of that of the service behind it.
    pub proxy: String,
    /// `ListenStream=`.
    pub listen: Vec<String>,
    /// Where the service listens.
    pub to: String,
    /// Whether the door is open from boot on.
    pub boot: bool,
    /// Whether it can be enabled.
    pub install: bool,
    /// When nobody has been connected for how long the service is stopped.
    pub idle: Option<String>,
}

impl Service {
    /// Whether its unit is that of many instances.
    pub fn is_template(&self) -> bool {
        self.instances.is_some()
    }

    /// What `systemctl` finds its units by: the unit, or all that there are of a template.
    pub fn pattern(&self) -> String {
        if self.is_template() { self.unit.replacen("@.", "@*.", 1) } else { self.unit.clone() }
    }
}
