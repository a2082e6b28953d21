//! What a machine answered: takes its lines of JSON and the questions, gives a report with a judgement.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::data::Probe;

/// What a console says when nothing more will come, and what that is.
const DEAD_ENDS: [(&str, &str); 6] = [
    ("Kernel panic", "the kernel gave up"),
    ("You are in emergency mode", "the machine is in emergency mode"),
    ("Dependency failed for boot-test.service", "the boot partition was not mounted"),
    ("You are in rescue mode", "the machine is in rescue mode"),
    ("Gave up waiting for", "the initramfs does not find root"),
    ("UEFI Interactive Shell", "the firmware finds nothing that it can start"),
];

/// What an image did.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The board that it is for.
    pub board: String,
    /// The machine that it was booted on.
    pub machine: String,
    /// From switching it on to the last answer.
    pub seconds: f64,
    /// Each question's.
    pub answers: Vec<Judged>,
    /// All of them are as expected, and none is missing.
    pub good: bool,
}

/// An answer beside what was expected.
#[derive(Debug, Serialize)]
pub struct Judged {
    /// What it is about.
    pub probe: String,
    /// As expected.
    pub good: bool,
    /// The exit status.
    pub exit: i32,
    /// What was printed.
    pub output: String,
    /// What should have been: exit status and output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<(i32, String)>,
}

/// What came from the machine.
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

/// An answer; none at the end.
pub(super) fn line(text: &str) -> Result<Option<Answer>> {
    match serde_json::from_str(text)
        .with_context(|| format!("the machine's report has a broken line: {text}"))?
    {
        Line::Answer(answer) => Ok(Some(answer)),
        Line::End { .. } => Ok(None),
    }
}

/// Whether a line of the console says that the boot is over before its time.
pub(super) fn dead_end(line: &str) -> Option<&'static str> {
    DEAD_ENDS.iter().find(|(said, _)| line.contains(said)).map(|(_, what)| *what)
}

impl Answer {
    /// One line for whoever waits.
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
