//! The JSON output of `rovi`, one object per line.
//!
//! `cargo xtask schema` generates `report.schema.json` from these types. New fields may be added; a field
//! that changes its meaning or is removed raises [`SCHEMA`].

use serde::{Deserialize, Serialize};

/// Version of the schema, which a reader must check first.
pub const SCHEMA: u32 = 1;

/// Output of `rovi status --json`; with `--watch`, one per change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// Version of this schema.
    pub schema: u32,
    /// Short name of the product.
    pub product: String,
    /// Version of its package.
    pub version: String,
    /// In the order of the catalog; with `status NAME`, only that service.
    pub services: Vec<Service>,
    /// All locks of these services.
    pub locks: Vec<Lock>,
}

/// The current state of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Service {
    /// Name that people type.
    pub name: String,
    /// Unit name.
    pub unit: String,
    /// Description for people.
    pub description: String,
    /// State of the service.
    pub state: State,
    /// systemd's `ActiveState`; `state` is derived from this and `job`.
    pub active: String,
    /// systemd's `SubState`.
    pub sub: String,
    /// systemd's `LoadState`: `loaded`, `not-found`, `masked`, …
    pub load: String,
    /// Queued or running job of the unit: `start`, `stop`, …
    pub job: Option<String>,
    /// Time of the last state change, in UTC with microseconds; absent for a stopped service.
    pub since: Option<String>,
    /// ID of the main process.
    pub pid: Option<i32>,
    /// Memory of the unit's processes in bytes.
    pub memory: Option<u64>,
    /// Processes of the unit at the last change of its state.
    pub processes: Vec<Process>,
    /// Whether the processes that the catalog expects are running.
    pub expected: Vec<Presence>,
    /// Fixed frame for visualization.
    pub frame: Option<String>,
    /// Content of the session file of a running launch, if the user may read it.
    pub session: Option<String>,
    /// Status text that the service itself reports.
    pub status_text: Option<String>,
    /// The service still runs the version before an upgrade and needs a restart.
    pub restart_pending: bool,
    /// Problems, such as an unexpected environment of another service, and how to fix them.
    pub warnings: Vec<String>,
    /// Details of a failure; only with the state `FAILED`.
    pub failure: Option<Failure>,
}

/// The state of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// `inactive`
    Stopped,
    /// `activating`
    Starting,
    /// `active`, `reloading`, `refreshing`
    Running,
    /// `deactivating`, or `active` with a queued stop
    Stopping,
    /// `failed`
    Failed,
    /// The unit does not exist on this machine.
    Missing,
}

/// A process of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Process {
    /// Process ID.
    pub pid: i32,
    /// Last component of its first argument; for an interpreter, also that of the script or module it runs.
    pub names: Vec<String>,
}

/// Whether a process with a given name belongs to the unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Presence {
    /// Exact name of the process.
    pub name: String,
    /// Whether the process is running.
    pub running: bool,
}

/// How a service failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// systemd's `Result`: `exit-code`, `signal`, `timeout`, …
    pub result: String,
    /// Exit status of the main process, or number of the signal that killed it.
    pub status: i32,
    /// Reason for people.
    pub reason: String,
    /// Last log lines of that run.
    pub log: Vec<String>,
    /// Why `log` is empty.
    pub log_hidden: Option<String>,
}

/// A lock; at most one of the services that share it can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lock {
    /// Path of the lock file.
    pub path: String,
    /// Whether the lock is held; absent if this user cannot check.
    pub held: Option<bool>,
    /// The process that holds the lock, or was killed while it did.
    pub holder: Option<Holder>,
    /// Processes that a killed holder left behind, which still block the lock; a negative number is a process
    /// group.
    pub left: Vec<i32>,
}

/// The holder of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Holder {
    /// Name of the service.
    pub service: String,
    /// ID of its run_stack process.
    pub pid: i32,
    /// Time when it took the lock.
    pub since: String,
    /// Whether it was started by hand, outside systemd.
    pub by_hand: bool,
}

/// Output of `start`, `stop`, `restart` and `switch` with `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Version of this schema.
    pub schema: u32,
    /// The requested verb.
    pub verb: String,
    /// The service; absent if a stop found nothing to stop.
    pub service: Option<String>,
    /// Exit status: 0 success, 1 failure, 3 permission denied, 4 unknown service, 75 refused, 78
    /// configuration error.
    pub exit: u8,
    /// Whether anything was changed.
    pub changed: bool,
    /// State afterwards, if known.
    pub state: Option<State>,
    /// ID of the main process afterwards.
    pub pid: Option<i32>,
    /// Message for people: the result, or what failed, why, and what to do.
    pub message: String,
    /// Additional messages.
    pub notes: Vec<String>,
    /// Last log lines of a failed service.
    pub log: Vec<String>,
}

impl State {
    /// Converts systemd's `LoadState` and `ActiveState`.
    pub fn parse(load: &str, active: &str) -> State {
        match active {
            "active" | "reloading" | "refreshing" => State::Running,
            "activating" => State::Starting,
            "deactivating" => State::Stopping,
            "failed" => State::Failed,
            _ if load == "not-found" => State::Missing,
            _ => State::Stopped,
        }
    }

    /// Returns the state for people.
    pub fn describe(self) -> &'static str {
        match self {
            State::Stopped => "stopped",
            State::Starting => "starting",
            State::Running => "running",
            State::Stopping => "stopping",
            State::Failed => "failed",
            State::Missing => "missing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn states() {
        for (active, state) in [
            ("inactive", State::Stopped),
            ("activating", State::Starting),
            ("active", State::Running),
            ("reloading", State::Running),
            ("deactivating", State::Stopping),
            ("failed", State::Failed),
        ] {
            assert_eq!(State::parse("loaded", active), state, "{active}");
        }
        assert_eq!(State::parse("not-found", "inactive"), State::Missing);
        // Removed while it runs, it still runs.
        assert_eq!(State::parse("not-found", "active"), State::Running);
        assert_eq!(State::parse("masked", "inactive"), State::Stopped);
        assert_eq!(serde_json::to_string(&State::Starting).unwrap(), "\"STARTING\"");
    }
}
