//! Runs a virtual machine: takes a card, a kernel and the files it needs, and returns console and report
//! lines as events in order. Dropping it cuts the power.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use super::data::Model;

/// Number of console lines kept for error messages.
const KEPT: usize = 60;
/// Prefixes of report lines.
const ANSWERS: [&str; 2] = ["{\"probe\":", "{\"end\":"];

/// Paths and parameters of a machine.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) card: &'a Path,
    pub(super) kernel: &'a Path,
    pub(super) initramfs: &'a Path,
    pub(super) device_tree: &'a Path,
    /// The socket to create.
    pub(super) report: &'a Path,
    /// Parameters to append to the kernel command line.
    pub(super) words: &'a str,
    /// The complete kernel command line.
    pub(super) command_line: &'a str,
}

impl Place<'_> {
    /// Returns an argument with its placeholders replaced. A value inside a longer argument is a list item,
    /// so its commas are doubled.
    fn filled_in(&self, argument: &str) -> String {
        let path = |path: &Path| path.display().to_string();
        let values = [
            ("{card}", path(self.card)),
            ("{kernel}", path(self.kernel)),
            ("{initramfs}", path(self.initramfs)),
            ("{device-tree}", path(self.device_tree)),
            ("{report}", path(self.report)),
            ("{words}", self.words.to_owned()),
            ("{command-line}", self.command_line.to_owned()),
        ];
        values.into_iter().fold(argument.to_owned(), |argument, (name, value)| match argument == name {
            true => value,
            false => argument.replace(name, &value.replace(',', ",,")),
        })
    }
}

/// An event of the machine.
#[derive(Debug)]
pub enum Event {
    /// A line on its console.
    Console(String),
    /// A line of its report.
    Report(String),
    /// The machine was powered off, or the emulator ended.
    Ended,
    /// The deadline passed.
    OutOfTime,
}

/// A running machine.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    events: Receiver<Event>,
    socket: PathBuf,
    console: VecDeque<String>,
}

impl Emulator {
    /// Starts the machine.
    pub(super) fn start(model: &Model, place: &Place<'_>) -> Result<Emulator> {
        let _ = std::fs::remove_file(place.report);
        let listener = UnixListener::bind(place.report).with_context(|| {
            format!("cannot create the socket `{}` for the report", place.report.display())
        })?;
        // setpriv ends the emulator when this process dies.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", &model.program]);
        command.args(["-display", "none", "-monitor", "none", "-no-reboot"]);
        command.args(model.arguments.iter().map(|argument| place.filled_in(argument)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start `setpriv`: apt-get install util-linux")?;
        let (sender, events) = channel();
        let console = child.stdout.take().context("no pipe for the stdout of the child")?;
        let complaints = child.stderr.take().context("no pipe for the stderr of the child")?;
        let other = sender.clone();
        thread::spawn(move || lines(complaints, &other, Event::Console));
        let other = sender.clone();
        thread::spawn(move || {
            if let Ok((stream, _)) = listener.accept() {
                lines(stream, &other, Event::Report);
            }
        });
        let to_event: fn(String) -> Event =
            if model.answers_on_console() { answer_or_message } else { Event::Console };
        thread::spawn(move || {
            lines(console, &sender, to_event);
            // The receiver may be gone.
            let _ = sender.send(Event::Ended);
        });
        Ok(Emulator { child, events, socket: place.report.to_owned(), console: VecDeque::new() })
    }

    /// Returns the next event before the deadline.
    pub fn next(&mut self, deadline: Instant) -> Event {
        let event = match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => Event::OutOfTime,
            Err(RecvTimeoutError::Disconnected) => Event::Ended,
        };
        if let Event::Console(line) = &event {
            if self.console.len() == KEPT {
                self.console.pop_front();
            }
            self.console.push_back(line.clone());
        }
        event
    }

    /// Returns the last lines of the console.
    pub fn tail(&self) -> String {
        let lines: Vec<String> = self.console.iter().map(|line| format!("  | {line}")).collect();
        lines.join("\n")
    }

    /// Ends the machine as if the power were cut.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Unblocks the thread that waits for an emulator that never connected.
        let _ = UnixStream::connect(&self.socket);
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Classifies a line of a console that also carries the report; an unterminated message may precede an
/// answer.
fn answer_or_message(line: String) -> Event {
    match ANSWERS.iter().find_map(|begin| line.find(begin)) {
        Some(at) => Event::Report(line[at..].to_owned()),
        None => Event::Console(line),
    }
}

/// Sends every line as an event, without terminal control sequences.
fn lines(stream: impl Read, to: &Sender<Event>, event: fn(String) -> Event) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!(stream.read_until(b'\n', &mut line), Ok(1..)) {
        let text: String = String::from_utf8_lossy(&line).chars().filter(|c| !c.is_control()).collect();
        if to.send(event(text)).is_err() {
            return;
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, Place};

    #[test]
    fn a_comma_is_written_twice_only_in_lists() {
        let [card, other] = ["/a,b/card", "/a,b/other"].map(Path::new);
        let place = Place {
            card,
            kernel: other,
            initramfs: other,
            device_tree: other,
            report: other,
            words: "console=ttyS1,115200 quiet",
            command_line: "root=x console=ttyS1,115200 quiet",
        };
        for (argument, expected) in [
            ("q35", "q35"),
            ("file={card},format=raw", "file=/a,,b/card,format=raw"),
            ("{kernel}", "/a,b/other"),
            ("{command-line}", "root=x console=ttyS1,115200 quiet"),
            ("type=11,value=x={words}", "type=11,value=x=console=ttyS1,,115200 quiet"),
        ] {
            assert_eq!(place.filled_in(argument), expected);
        }
    }
}
