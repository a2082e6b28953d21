//! `rovi status`: prints the state once or after every change.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use base::failure::{Failure, reason};
use base::plain::Plain;
use base::report::{Lock, Service, State, Status};
use rustix::fs::FileType;

use crate::cli::arguments::Arguments;
use crate::cli::screen::{Colour, Screen};
use crate::cli::{Flag, JSON, Takes, Verb, json, outcome, print, table};
use crate::executor::systemd::{Source, Systemd};
use crate::executor::watch::Watch;
use crate::executor::{refusal, snapshot};

/// The verb `status`.
pub const VERB: Verb = Verb {
    name: "status",
    takes: Takes::MaybeService,
    options: &[
        JSON,
        Flag {
            short: Some('w'),
            long: "watch",
            value: None,
            about: "print again after every change, until Ctrl-C",
        },
    ],
    about: "show the state of the services, and warnings",
    more: "\
With --json, each line is one object; report.schema.json in the sources is its
schema. --watch waits for events from systemd and does not poll. The exit
status only says whether the state could be read.",
    examples: &[
        ("rovi status", "show all services"),
        ("rovi status nav", "show all details of nav"),
        ("rovi status --json --watch", "print a line of JSON after every change"),
    ],
    run,
};

fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let table = table()?;
    let only = arguments.word.as_deref();
    if let Some(name) = only {
        refusal::find_service(&table, name)?;
    }
    if !arguments.has("watch") {
        let status = snapshot::take(&table, &mut Systemd::connect()?, only)?;
        let text = if arguments.has("json") {
            json(&status)?
        } else {
            text(&status, only.is_some(), Screen::output())
        };
        return print(&text).map(|()| 0);
    }
    let interrupt = outcome::interrupts()?;
    let reader = reader()?;
    let ends: Vec<&Source> = [&interrupt].into_iter().chain(&reader).collect();
    let mut watch = Watch::new(&table, only)?;
    let mut shown = Shown { json: arguments.has("json"), whole: only.is_some(), lines: 0, last: Vec::new() };
    while let Some(status) = watch.next(&ends)? {
        let text = shown.next(status)?;
        print(&text)?;
    }
    Ok(0)
}

/// Returns standard output if it is a pipe, to detect that its reader has closed it. A closed terminal sends
/// a signal instead.
pub(super) fn reader() -> Result<Option<Source>, Failure> {
    let out = io::stdout();
    let pipe = rustix::fs::fstat(&out).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Fifo);
    if !pipe {
        return Ok(None);
    }
    let source = out.as_fd().try_clone_to_owned().and_then(Source::new);
    source.map(Some).map_err(|e| {
        Failure::failed(format!("cannot write to cannot write to standard output: {}: try again", reason(&e)))
    })
}

/// What a watch has printed so far.
struct Shown {
    json: bool,
    whole: bool,
    /// Number of lines on a terminal, to overwrite them.
    lines: usize,
    last: Vec<Service>,
}

impl Shown {
    /// Returns the next output: a JSON line, the whole screen on a terminal, or the changes elsewhere.
    fn next(&mut self, status: &Status) -> Result<String, Failure> {
        if self.json {
            return json(status);
        }
        let screen = Screen::output();
        if screen.terminal && io::stdout().is_terminal() {
            let picture = text(status, self.whole, screen);
            let up = if self.lines > 0 { format!("\x1b[{}A\r\x1b[J", self.lines) } else { String::new() };
            self.lines = picture.lines().count();
            return Ok(up + &picture);
        }
        let last = std::mem::replace(&mut self.last, status.services.clone());
        Ok(part(status, |service| !last.contains(service), self.whole, screen))
    }
}

/// Formats a line for each service, with details for people below it.
fn text(status: &Status, whole: bool, screen: Screen) -> String {
    part(status, |_| true, whole, screen)
}

fn part(status: &Status, of: impl Fn(&Service) -> bool, whole: bool, screen: Screen) -> String {
    let mut lines = Vec::new();
    let width = status.services.iter().map(|s| s.name.chars().count()).max().unwrap_or_default();
    for service in status.services.iter().filter(|service| of(service)) {
        let state = screen.state(service.state, 8);
        let line = format!("{:width$}  {state}{}", service.name, Plain(facts(service)));
        lines.push(line.trim_end().to_owned());
        if whole {
            lines.extend(details(service).iter().map(|line| Plain(line).to_string()));
        }
        if let Some(failure) = &service.failure {
            lines.push(screen.paint(&format!("  {}", failure.reason), Colour::Red));
            lines.extend(failure.log.iter().map(|line| screen.paint(&format!("  | {line}"), Colour::Dim)));
            lines.extend(failure.log_hidden.iter().map(|why| format!("  no log: {}", Plain(why))));
        }
    }
    let yellow = |line: String| screen.paint(&line, Colour::Yellow);
    lines.extend(status.locks.iter().filter_map(|lock| locked(lock, status)).map(yellow));
    for service in status.services.iter().filter(|service| of(service)) {
        if service.restart_pending {
            let unit = &service.unit;
            lines.push(yellow(format!(
                "restart pending: {}: still running the version before the upgrade: when the robot may \
                 stop, an administrator must run `systemctl restart {unit}`",
                service.name
            )));
        }
        // Details of a stopped service matter only if the user asks about it.
        if whole || !matches!(service.state, State::Stopped | State::Missing) {
            lines.extend(service.warnings.iter().map(|warning| yellow(format!("warning: {warning}"))));
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn facts(service: &Service) -> String {
    let mut facts = Vec::new();
    if !matches!(service.state, State::Stopped | State::Missing) {
        facts.extend(service.since.as_ref().map(|since| format!("since {}", short(since))));
        facts.extend(service.pid.map(|pid| format!("process {pid}")));
        facts.extend(service.memory.map(|bytes| format!("{:.1} MiB", bytes as f64 / 1_048_576.0)));
        facts.extend(service.frame.as_ref().map(|frame| format!("frame {frame}")));
        facts.extend(service.job.as_ref().map(|job| format!("{job} in progress")));
    }
    facts.extend((service.load == "masked").then(|| "masked".to_owned()));
    let gone = service.expected.iter().filter(|p| !p.running && service.state == State::Running);
    facts.extend(gone.map(|presence| format!("{} is not running", presence.name)));
    if facts.is_empty() { String::new() } else { format!("  {}", facts.join("  ")) }
}

fn details(service: &Service) -> Vec<String> {
    let mut lines = vec![format!(
        "  {} ({}), systemd: {} ({})",
        service.description, service.unit, service.active, service.sub
    )];
    lines.extend(service.status_text.as_ref().map(|text| format!("  {text}")));
    lines.extend(service.session.as_ref().map(|session| format!("  session {session}")));
    lines.extend(service.processes.iter().map(|p| format!("  process {} {}", p.pid, p.names.join(" "))));
    lines
}

/// Formats a lock that no service state shows: held by a launch by hand, or blocked by a killed one.
fn locked(lock: &Lock, status: &Status) -> Option<String> {
    let holder = lock.holder.as_ref()?;
    if !lock.left.is_empty() {
        let pids: Vec<String> = lock.left.iter().map(i32::to_string).collect();
        let (service, pids) = (&holder.service, pids.join(" "));
        return Some(format!("lock: {service} was killed and left processes running: {pids}"));
    }
    let in_unit = !holder.by_hand && status.services.iter().any(|s| s.name == holder.service);
    let Some(true) = lock.held.filter(|_| !in_unit) else { return None };
    let by = if holder.by_hand { ", started by hand" } else { "" };
    Some(format!("lock: held by {}{by}, process {}, since {}", holder.service, holder.pid, holder.since))
}

/// Removes the fraction of a second.
fn short(since: &str) -> String {
    since.split_once('.').map_or_else(|| since.to_owned(), |(whole, _)| format!("{whole}Z"))
}
