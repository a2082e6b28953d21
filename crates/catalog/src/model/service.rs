//! Services and their units.

use base::table;
use serde::Serialize;

use super::environment::Variable;
use crate::raw::{Hardening, Manager, OnUpgrade};

/// A unit, and what programs and templates need to know about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Service {
    /// Name that people type.
    pub name: String,
    /// Name of the unit.
    pub unit: String,
    /// Description in one line.
    pub description: String,
    /// Instances, if the unit is a template.
    pub instances: Option<Instances>,
    /// Socket in front of the service.
    pub socket: Option<Socket>,
    /// `Slice=`.
    pub slice: Option<String>,
    /// Runtime directory below `/run`, if the service is a manager for tasks.
    pub tasks: Option<String>,
    /// Runtime directory below `/run` of the manager in which the service starts tasks.
    pub task_manager: Option<String>,
    /// Groups that the user joins before a start, if they exist.
    pub joins: Vec<String>,
    /// Default tables that the service comes from, nearest first.
    pub kinds: Vec<String>,
    /// Service manager that runs the unit.
    pub scope: Manager,
    /// `Documentation=`, one string each.
    pub documentation: Vec<String>,
    /// `ExecStart=`, quoted.
    pub exec: String,
    /// Program of `exec`, with the values that the package gives to its variables.
    pub program: Option<String>,
    /// Who brings that program, if neither the package nor a dependency does.
    pub external: Option<String>,
    /// What `run_stack` launches.
    pub launch: Option<table::Launch>,
    /// Lock that the launch holds.
    pub lock: Option<String>,
    /// `Type=`.
    pub r#type: String,
    /// Whether notify-helper runs the program and reports for it.
    pub watched: bool,
    /// `SyslogIdentifier=`, if it is not the name of the program.
    pub identifier: Option<String>,
    /// `WatchdogSec=`.
    pub watchdog: Option<String>,
    /// `User=`.
    pub user: Option<String>,
    /// `EnvironmentFile=` of the role.
    pub environment_file: Option<String>,
    /// File of a user that replaces variables of the role.
    pub own_environment_file: Option<String>,
    /// Additional `EnvironmentFile=`.
    pub environment_files: Vec<String>,
    /// `Environment=`, quoted, one string each.
    pub environment: Vec<String>,
    /// `WorkingDirectory=`, unless `run_stack` changes to it.
    pub working_directory: Option<String>,
    /// `StateDirectory=`, if the service has a user to own it.
    pub state_directory: Option<String>,
    /// Unit without which this one does not run.
    pub only_while: Option<String>,
    /// Units that do not run without this one.
    pub dependents: Vec<String>,
    /// Unit that stands for this one and others.
    pub parent: Option<String>,
    /// Units that this one stands for.
    pub children: Vec<String>,
    /// Units that must be ready before this one starts.
    pub once_ready: Vec<String>,
    /// Relations to other units.
    pub relations: Relations,
    /// Whether it starts at boot, or at login.
    pub boot: bool,
    /// Whether it can be enabled.
    pub install: bool,
    /// Target of `WantedBy=`.
    pub boot_target: String,
    /// `Restart=`.
    pub restart: String,
    /// `RestartSec=`.
    pub restart_sec: Option<String>,
    /// Whether systemd counts no starts, because only people start the service.
    pub uncounted: bool,
    /// `StartLimit…=`: name and value.
    pub start_limit: Vec<(String, String)>,
    /// `KillSignal=`.
    pub kill_signal: Option<String>,
    /// `TimeoutStartSec=`.
    pub timeout_start: Option<String>,
    /// `TimeoutStopSec=`.
    pub timeout_stop: Option<String>,
    /// What an upgrade does to it while it runs.
    pub on_upgrade: OnUpgrade,
    /// Whether a restart would stop a service that an upgrade must not stop.
    pub holds_kept: bool,
    /// Whether somebody who may not control it may start a service that does not run without it.
    pub guarded: bool,
    /// Whether a permit covers it.
    pub permitted: bool,
    /// Limits: name and value of each directive.
    pub limits: Vec<(String, String)>,
    /// Hardening profile.
    pub hardening: Hardening,
    /// `ReadWritePaths=`, quoted.
    pub write_paths: Vec<String>,
    /// Directory for the byte code of a Python payload.
    pub byte_code: Option<String>,
    /// `DeviceAllow=`.
    pub devices: Vec<String>,
    /// Command that can prevent a stop.
    pub guard: Option<table::Guard>,
    /// Names of processes that show that it works.
    pub processes: Vec<String>,
    /// Fixed frame for visualization.
    pub frame: Option<String>,
    /// Variables that other services should run with.
    pub expects: Vec<table::Expects>,
    /// Directives that have no field of their own.
    pub directives: Directives,
}

/// Relations to other units.
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

/// Directives that have no field of their own: name and value, by section.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Directives {
    /// Section `[Unit]`.
    pub unit: Vec<(String, String)>,
    /// Section `[Service]`.
    pub service: Vec<(String, String)>,
    /// Section `[Install]`.
    pub install: Vec<(String, String)>,
}

/// The instances of a template.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instances {
    /// Folder with a file for each instance.
    pub directory: String,
    /// Variables that each file must set: name and description.
    pub variables: Vec<(String, String)>,
    /// Instances that the package brings.
    pub shipped: Vec<Instance>,
}

/// An instance that the package brings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instance {
    /// Name of the instance.
    pub name: String,
    /// Path of its file.
    pub file: String,
    /// Content of its file.
    pub variables: Vec<Variable>,
}

/// A socket unit, and the proxy that passes connections on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Socket {
    /// Name of the socket's unit.
    pub unit: String,
    /// Name of the proxy's unit.
    pub proxy: String,
    /// `ListenStream=`.
    pub listen: Vec<String>,
    /// Address that the service listens on.
    pub to: String,
    /// Whether the socket listens from boot on.
    pub boot: bool,
    /// Whether it can be enabled.
    pub install: bool,
    /// Time without a connection after which the service is stopped.
    pub idle: Option<String>,
}

impl Service {
    /// Tells whether the unit is a template.
    pub fn is_template(&self) -> bool {
        self.instances.is_some()
    }

    /// Returns the pattern with which `systemctl` finds the unit, or all instances of a template.
    pub fn pattern(&self) -> String {
        if self.is_template() { self.unit.replacen("@.", "@*.", 1) } else { self.unit.clone() }
    }
}
