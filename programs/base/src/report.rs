//! What `rovi` tells a program: the types of its JSON, one object a line.
//!
//! `report.schema.json` beside this file is made from them (`cargo xtask schema`). A field may be added without
//! notice; one that changes or goes raises [`SCHEMA`].

use serde::{Deserialize, Serialize};

/// The number that a reader checks before it believes the rest.
pub const SCHEMA: u32 = 1;

/// What `rovi status --json` prints; with `--watch` once more whenever something has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// Number of this schema.
    pub schema: u32,
    /// Short name of the product.
    pub product: String,
    /// Version of its package.
    pub version: String,
    /// In the order of the catalog; with `status NAME` only that one.
    pub services: Vec<Service>,
    /// Every lock of these services.
    pub locks: Vec<Lock>,
}

/// One service as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Service {
    /// The name people type.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// One line for people.
    pub description: String,
    /// The state, in the five words of the status model and `MISSING`.
    pub state: State,
    /// systemd's `ActiveState`, from which `state` comes, and from `job`.
    pub active: String,
    /// systemd's `SubState`.
    pub sub: String,
    /// systemd's `LoadState`: `loaded`, `not-found`, `masked`, …
    pub load: String,
    /// The job that systemd has queued or runs for the unit: `start`, `stop`, …
    pub job: Option<String>,
    /// When it got into this state, as UTC with microseconds; absent for what is stopped.
    pub since: Option<String>,
    /// The main process.
    pub pid: Option<i32>,
    /// Bytes that the unit's processes use.
    pub memory: Option<u64>,
    /// The processes of the unit, as of the latest change of the state.
    pub processes: Vec<Process>,
    /// Whether the processes are there by which the catalog says that one knows that it works.
    pub expected: Vec<Presence>,
    /// Fixed frame for visualisation.
    pub frame: Option<String>,
    /// What the session file says, for a running launch of whoever may read it.
    pub session: Option<String>,
    /// What the service itself says of its state.
    pub status_text: Option<String>,
    /// An upgrade has left it running as it was: it is still to be restarted.
    pub restart_pending: bool,
    /// Why it would not work as it is: what another service runs with, and what to do.
    pub warnings: Vec<String>,
    /// How it failed; only with the state `FAILED`.
    pub failure: Option<Failure>,
}

/// A state of a service.
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
    /// `deactivating`, and `active` with a stop that is queued
    Stopping,
    /// `failed`
    Failed,
    /// There is no such unit on this machine.
    Missing,
}

/// A process of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// The last part of its first argument, and for an interpreter also that of the script or module it runs.
    pub names: Vec<String>,
}

/// Whether a process of a name is among those of the unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Presence {
    /// The name, compared as a whole.
    pub name: String,
    /// Whether it is there.
    pub running: bool,
}

/// How a service failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// systemd's `Result`: `exit-code`, `signal`, `timeout`, …
    pub result: String,
    /// Exit status of the main process, or the number of the signal that ended it.
    pub status: i32,
    /// One line for people.
    pub reason: String,
    /// The last lines that it logged in that run.
    pub log: Vec<String>,
    /// Why there are none.
    pub log_hidden: Option<String>,
}

/// One lock: at most one of the services that share it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lock {
    /// The file.
    pub path: String,
    /// Whether somebody has it; absent when this user may not look.
    pub held: Option<bool>,
    /// Who has it, or was killed while having it.
    pub holder: Option<Holder>,
    /// Processes that a killed holder has left, which still keep everybody out; a negative number is a process group.
    pub left: Vec<i32>,
}

/// Who has a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Holder {
    /// The service.
    pub service: String,
    /// Its run_stack.
    pub pid: i32,
    /// When it took the lock.
    pub since: String,
    /// Whether a person started it, outside of systemd.
    pub by_hand: bool,
}

/// What `start`, `stop`, `restart` and `switch` print with `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Number of this schema.
    pub schema: u32,
    /// What was asked for.
    pub verb: String,
    /// Of which service; absent when a stop found nothing to stop.
    pub service: Option<String>,
    /// The exit status: 0 done, 1 failed, 3 not permitted, 4 no such service, 75 refused, 78 something to correct.
    pub exit: u8,
    /// Whether anything is otherwise than before: it may have been so already, or have been refused.
    pub changed: bool,
    /// The state afterwards, where it is known.
    pub state: Option<State>,
    /// The main process afterwards.
    pub pid: Option<i32>,
    /// One line for people: what is, or what is wrong, why, and what to do.
    pub message: String,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// The last lines that a failed service logged.
    pub log: Vec<String>,
}

impl State {
    /// From systemd's words.
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

    /// For people.
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
