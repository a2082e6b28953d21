//! Compares a machine's answers, one JSON object per line, with the probes.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::data::Probe;

/// Console messages after which no answers will follow, and what they mean.
const DEAD_ENDS: [(&str, &str); 6] = [
    ("Kernel panic", "kernel panic"),
    ("You are in emergency mode", "the machine is in emergency mode"),
    ("Dependency failed for boot-test.service", "the boot partition is not mounted"),
    ("You are in rescue mode", "the machine is in rescue mode"),
    ("Gave up waiting for", "the initramfs cannot find the root file system"),
    ("UEFI Interactive Shell", "the firmware finds no boot loader"),
];

/// The result of a boot test.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Name of the board.
    pub board: String,
    /// The machine it was booted on.
    pub machine: String,
    /// Seconds from power-on to the last answer.
    pub seconds: f64,
    /// The answer to each probe.
    pub answers: Vec<Judged>,
    /// Whether all answers were received and are as expected.
    pub good: bool,
}

/// An answer and the expected result.
#[derive(Debug, Serialize)]
pub struct Judged {
    /// Name of the probe.
    pub probe: String,
    /// Whether the answer is as expected.
    pub good: bool,
    /// Exit status.
    pub exit: i32,
    /// Output of the command.
    pub output: String,
    /// Expected exit status and output, if they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<(i32, String)>,
}

/// An answer from the machine.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    probe: String,
    exit: i32,
    output: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Answer(Answer),
    End {
        #[serde(rename = "end")]
        _end: bool,
    },
}

/// Parses a line; `None` marks the end of the report.
pub(super) fn line(text: &str) -> Result<Option<Answer>> {
    match serde_json::from_str(text)
        .with_context(|| format!("invalid line in the machine's report: {text}"))?
    {
        Line::Answer(answer) => Ok(Some(answer)),
        Line::End { .. } => Ok(None),
    }
}

/// Returns what went wrong if a console line shows that the boot has failed.
pub(super) fn dead_end(line: &str) -> Option<&'static str> {
    DEAD_ENDS.iter().find(|(message, _)| line.contains(message)).map(|(_, what)| *what)
}

impl Answer {
    /// Returns one line for the progress display.
    pub(super) fn summary(&self, probes: &[Probe]) -> String {
        let probe = probes.iter().find(|probe| probe.name == self.probe);
        let good = probe.is_some_and(|probe| self.is(probe));
        format!("{} {}", if good { "good" } else { "BAD " }, self.probe)
    }

    fn is(&self, probe: &Probe) -> bool {
        self.exit == probe.exit && self.output.trim() == probe.output.trim()
    }
}

impl Report {
    pub(super) fn new(
        board: &str,
        machine: &str,
        took: Duration,
        probes: &[Probe],
        answers: Vec<Answer>,
    ) -> Report {
        let mut left = VecDeque::from(answers);
        let mut judged = Vec::new();
        for probe in probes {
            let Some(answer) = left.pop_front_if(|answer| answer.probe == probe.name) else { break };
            let good = answer.is(probe);
            let expected = (!good).then(|| (probe.exit, probe.output.trim().to_owned()));
            let Answer { probe, exit, output } = answer;
            judged.push(Judged { probe, good, exit, output: output.trim().to_owned(), expected });
        }
        let good = judged.len() == probes.len() && left.is_empty() && judged.iter().all(|answer| answer.good);
        let seconds = (took.as_secs_f64() * 10.0).round() / 10.0;
        Report { board: board.to_owned(), machine: machine.to_owned(), seconds, answers: judged, good }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bad = self.answers.iter().filter(|answer| !answer.good);
        write!(f, "{} of {} answers are not as expected", bad.clone().count(), self.answers.len())?;
        for answer in bad {
            let (exit, output) = answer.expected.clone().unwrap_or_default();
            write!(
                f,
                "\n  {}: expected status {exit} and {output:?}, got status {} and {:?}",
                answer.probe, answer.exit, answer.output
            )?;
        }
        Ok(())
    }
}
