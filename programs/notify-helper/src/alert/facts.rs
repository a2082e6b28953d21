//! The facts about a failed unit: what systemd passed in the environment, and what systemctl reports now.
//!
//! A unit may have restarted, or be gone, by the time systemctl runs. The variables of `OnFailure=`
//! (`MONITOR_…`) describe the failure itself and take precedence.

use std::process::Command;
use std::time::Duration;

use base::failure::{Failure, reason};
use base::say::say;
use nix::sys::signal::Signal;

use super::child;
use super::options::Options;

/// Time limit for systemctl.
const PATIENCE: Duration = Duration::from_secs(10);

/// Limit for the output of systemctl.
const LONGEST: usize = 64 * 1024;

const PROPERTIES: &str = "--property=Id,Description,LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus,\
                          InvocationID,NRestarts";

/// The facts; unknown ones are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub unit: String,
    /// Description of the unit.
    pub description: String,
    /// Current state: `failed`, `active`, …
    pub state: String,
    /// systemd's `Result`: `exit-code`, `signal`, `timeout`, `watchdog`, …
    pub result: String,
    /// Exit status of the main process, if it exited.
    pub status: Option<i32>,
    /// Signal that killed the main process, if one did.
    pub signal: Option<String>,
    /// Invocation id of the run that failed.
    pub invocation: String,
    /// Number of automatic restarts.
    pub restarts: String,
    /// Number of failures since the last alert.
    pub again: Option<u64>,
    /// Whether systemd reported the failure.
    pub monitored: bool,
    /// Host name.
    pub host: String,
    /// Boot id.
    pub boot: String,
    /// Time of the query.
    pub time: String,
}

impl Facts {
    /// Returns the facts about the failure that started this process.
    pub(crate) fn gather(options: &Options) -> Result<Facts, Failure> {
        let told = |name: &str| std::env::var(format!("MONITOR_{name}")).unwrap_or_default();
        let monitored = told("UNIT") == options.unit;
        let mut facts = Facts::asked(options, monitored)?;
        if monitored {
            facts.monitored = true;
            facts.result = told("SERVICE_RESULT");
            facts.invocation = told("INVOCATION_ID");
            let (code, status) = (told("EXIT_CODE"), told("EXIT_STATUS"));
            (facts.status, facts.signal) = match &*code {
                "exited" => (status.parse().ok(), None),
                "killed" | "dumped" => (None, Some(status)),
                _ => (None, None),
            };
        }
        Ok(facts)
    }

    /// Returns the current facts, whatever started this process.
    pub(crate) fn gather_now(options: &Options) -> Result<Facts, Failure> {
        Facts::asked(options, true)
    }

    /// `known`: the unit is known to exist or to have existed.
    fn asked(options: &Options, known: bool) -> Result<Facts, Failure> {
        let mut facts = Facts {
            unit: options.unit.clone(),
            host: one_word("/proc/sys/kernel/hostname"),
            boot: one_word("/proc/sys/kernel/random/boot_id").replace('-', ""),
            time: base::moment::now(),
            ..Facts::default()
        };
        let mut command = Command::new("systemctl");
        command.args(options.user.then_some("--user"));
        command.args(["show", "--no-pager", PROPERTIES, "--", &options.unit]);
        let answer = match child::run(&mut command, b"", LONGEST, PATIENCE) {
            Ok((status, answer)) if status.success() => answer,
            other => {
                let why = other.map_or_else(|e| reason(&e), |(status, _)| status.to_string());
                say(format!(
                    "warning: `systemctl show {}`: {why}: the alert lacks the state of the unit",
                    options.unit
                ));
                return Ok(facts);
            }
        };
        let answer = String::from_utf8_lossy(&answer);
        let take = |name: &str| {
            let mut properties = answer.lines().filter_map(|l| l.split_once('='));
            properties.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        if take("LoadState") == "not-found" && !known {
            let todo = "choose one from `systemctl list-units --all`";
            return Err(Failure::failed(format!("`{}`: no such unit: {todo}", options.unit)));
        }
        facts.description = Some(take("Description")).filter(|d| *d != facts.unit).unwrap_or_default();
        facts.state = take("ActiveState");
        facts.result = take("Result");
        facts.invocation = take("InvocationID");
        facts.restarts = Some(take("NRestarts")).filter(|n| n != "0").unwrap_or_default();
        let status = take("ExecMainStatus").parse::<i32>().ok();
        // The kernel's codes: exited, killed by a signal, killed with a core dump.
        match &*take("ExecMainCode") {
            "1" => facts.status = status,
            "2" | "3" => facts.signal = status.and_then(|s| Signal::try_from(s).ok()).map(signal_name),
            _ => {}
        }
        Ok(facts)
    }

    /// Returns whether the unit failed, as far as known.
    pub(crate) fn has_failed(&self) -> bool {
        self.monitored
            || self.again.is_some()
            || self.state == "failed"
            || !matches!(&*self.result, "" | "success")
    }

    /// Returns the reason for people.
    pub(crate) fn why(&self) -> String {
        let end = match (&self.status, &self.signal) {
            (Some(status), _) => format!("exited with status {status}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => String::new(),
        };
        match (&*self.result, &*end) {
            ("" | "success", "") => self.state.clone(),
            ("" | "success" | "exit-code" | "signal", _) if !end.is_empty() => end,
            (result, "") => result.to_owned(),
            (result, end) => format!("{result}, {end}"),
        }
    }
}

fn signal_name(signal: Signal) -> String {
    signal.as_str().trim_start_matches("SIG").to_owned()
}

fn one_word(file: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.trim().chars().filter(|c| c.is_ascii_graphic()).collect()
}

#[cfg(test)]
mod tests {
    use super::Facts;

    #[test]
    fn reasons() {
        let why = |result: &str, status: Option<i32>, signal: Option<&str>| {
            let signal = signal.map(str::to_owned);
            Facts { result: result.into(), status, signal, state: "failed".into(), ..Facts::default() }.why()
        };
        assert_eq!(why("exit-code", Some(7), None), "exited with status 7");
        assert_eq!(why("signal", None, Some("KILL")), "ended by signal KILL");
        assert_eq!(why("watchdog", None, Some("ABRT")), "watchdog, ended by signal ABRT");
        assert_eq!(why("start-limit-hit", None, None), "start-limit-hit");
        assert_eq!(why("", None, None), "failed");
    }
}
