//! `ready` and `watchdog`: the words of `notify-helper` before the command, with which it probes the service.

use std::ffi::OsString;

use base::probe::Probe;
use base::probe::options::Options;

use super::entry::Entry;
use super::environment::check_word;
use crate::model::{Role, WATCHER, program_dir};
use crate::raw::{Ready, ServiceType};
use crate::resolve::quote::quote_word;
use crate::rule::{quantity, text};

/// A probe and the answer that it expects.
struct Probed<'a> {
    option: &'static str,
    /// The field of the probe; the fields of the answer are beside it.
    at: &'static [&'static str],
    probe: &'a str,
    status: Option<&'a str>,
    body: Option<&'a str>,
}

/// Returns the words before the command, up to `--`; none if the program itself reports to systemd.
pub(super) fn resolve_watcher(entry: &mut Entry<'_, '_>, role: Option<&Role>) -> Option<Vec<String>> {
    check_watchdog(entry);
    let spec = entry.spec;
    let mut probes = vec![match spec.ready.as_ref()? {
        Ready::Probe(probe) => Probed { option: "--ready", at: &["ready"], probe, status: None, body: None },
        Ready::Answer(answer) => Probed {
            option: "--ready",
            at: &["ready", "probe"],
            probe: &answer.probe,
            status: answer.status.as_deref(),
            body: answer.body.as_deref(),
        },
    }];
    if let Some((watchdog, probe)) = spec.watchdog.as_ref().and_then(|w| Some((w, w.probe.as_ref()?))) {
        probes.push(Probed {
            option: "--watchdog",
            at: &["watchdog", "probe"],
            probe,
            status: watchdog.status.as_deref(),
            body: watchdog.body.as_deref(),
        });
    }
    check_ready(entry);
    let mut words = vec![format!("{}/{WATCHER}", program_dir(&entry.product().name)), "run".to_owned()];
    for probe in probes {
        words.extend(resolve_probe(entry, &probe, role));
    }
    words.push("--".to_owned());
    Some(words)
}

fn check_watchdog(entry: &mut Entry<'_, '_>) {
    let spec = entry.spec;
    let Some(watchdog) = &spec.watchdog else { return };
    match &watchdog.every {
        Some(every) => entry.check(&["watchdog", "every"], quantity::check_period(every)),
        None => {
            let text = "is missing: write the longest time between two signs of life, such as 30s";
            entry.refuse(&["watchdog", "every"], text);
        }
    }
    if watchdog.probe.is_none() {
        for (field, value) in [("status", &watchdog.status), ("body", &watchdog.body)] {
            if value.is_some() {
                entry.refuse(&["watchdog", field], "needs a probe: write `probe`, or remove it");
            }
        }
    }
    if spec.ready.is_some() {
        return;
    }
    if watchdog.probe.is_some() {
        let text = "needs `ready`, which tells when probing starts: write `ready`";
        entry.refuse(&["watchdog", "probe"], text);
    } else if spec.launch.is_empty() && spec.r#type != Some(ServiceType::Notify) {
        let text =
            "gets no signs of life: write `probe`, or type = \"notify\" if the program sends them itself";
        entry.refuse(&["watchdog"], text);
    }
}

/// Checks the fields that do not go together with `ready`.
fn check_ready(entry: &mut Entry<'_, '_>) {
    if !entry.product().programs.iter().any(|program| program == WATCHER) {
        let text = format!("needs `{WATCHER}`: add it to product.programs");
        entry.refuse(&["ready"], &text);
    }
    if !entry.spec.launch.is_empty() {
        let text = "does not go with `launch`, which reports readiness itself: remove it";
        entry.refuse(&["ready"], text);
    }
    if entry.spec.r#type.is_some_and(|t| t != ServiceType::Notify) {
        entry.refuse(&["type"], "is always \"notify\" for a service with `ready`: remove it");
    }
    if entry.spec.directives.service.contains_key("NotifyAccess") {
        let text = "is set by `ready`: remove it";
        entry.refuse(&["directives", "Service", "NotifyAccess"], text);
    }
}

fn resolve_probe(entry: &mut Entry<'_, '_>, probed: &Probed<'_>, role: Option<&Role>) -> Vec<String> {
    let mut words = vec![probed.option.to_owned(), quote_word(probed.probe)];
    entry.check(probed.at, text::check_line(probed.probe));
    check_word(entry, probed.at, probed.probe, role);
    let literal = read_literal(probed.probe);
    let is_probe = literal.as_deref().is_some_and(|literal| Probe::parse(literal).is_ok());
    if let Some(literal) = &literal {
        if let Err(why) = Probe::parse(literal) {
            entry.refuse(probed.at, &format!("invalid probe: {why}"));
        } else if probed.option == "--watchdog" && literal.starts_with("log:") {
            entry.refuse(
                probed.at,
                "is a `log:` probe, which only tells that the service has started: use another probe",
            );
        }
    }
    let expected = [("--http-status", "status", probed.status), ("--http-body", "body", probed.body)];
    for (option, field, value) in expected {
        let Some(value) = value else { continue };
        let at = [probed.at[0], field];
        entry.check(&at, text::check_line(value));
        check_word(entry, &at, value, role);
        words.extend([option.to_owned(), quote_word(value)]);
        if let (true, Some(literal), Some(value)) = (is_probe, &literal, read_literal(value)) {
            let line = ["--ready", literal, option, &value, "--"].map(OsString::from);
            if let Err(failure) = Options::parse(line.into_iter()) {
                // The message is `--option value`: why: what to do.
                let why = failure.message.split_once("`: ").map(|(_, why)| why);
                let why = why.and_then(|w| w.strip_suffix(": see `notify-helper --help`"));
                let text = format!("does not fit the probe: {}", why.unwrap_or("see notify-helper(1)"));
                entry.refuse(&at, &text);
            }
        }
    }
    words
}

/// Returns the word as the program sees it, unless that depends on the machine.
fn read_literal(word: &str) -> Option<String> {
    let plain = word.replace("$$", "").replace("%%", "");
    (!plain.contains(['$', '%'])).then(|| word.replace("$$", "$").replace("%%", "%"))
}
