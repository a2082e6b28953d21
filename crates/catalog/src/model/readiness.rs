//! How it is known that a service is up and well: takes its `ready` and `watchdog`, makes the words of `notify-helper`
//! that stand before its command.

use std::ffi::OsString;

use base::probe::Probe;
use base::probe::options::Options;

use crate::model::command::quote;
use crate::model::service::Builder;
use crate::model::{Role, program_dir};
use crate::raw::{Ready, ServiceType};
use crate::rule::{quantity, text};

/// The program that asks.
const WATCHER: &str = "notify-helper";

/// A probe and what it expects of an answer, wherever it is written.
struct Asked<'a> {
    option: &'static str,
    /// Where the probe stands; what it expects stands beside it.
    at: &'static [&'static str],
    probe: &'a str,
    status: Option<&'a str>,
    body: Option<&'a str>,
}

impl Builder<'_, '_> {
    /// The words before the command, up to `--`; none when the program itself reports.
    pub(super) fn watcher(&mut self, role: Option<&Role>) -> Option<Vec<String>> {
        let spec = self.spec;
        if let Some(watchdog) = &spec.watchdog {
            match &watchdog.every {
                Some(every) => self.rule(&["watchdog", "every"], quantity::period(every)),
                None => self
                    .fault(&["watchdog", "every"], "is missing: time within which a sign of life must come"),
            }
            if watchdog.probe.is_none() {
                for (field, value) in [("status", &watchdog.status), ("body", &watchdog.body)] {
                    if value.is_some() {
                        self.fault(&["watchdog", field], "is about the answer to a probe: write `probe`");
                    }
                }
            }
        }
        let Some(ready) = &spec.ready else {
            if spec.watchdog.as_ref().is_some_and(|w| w.probe.is_some()) {
                self.fault(
                    &["watchdog", "probe"],
                    "needs `ready`, which says from when on it is asked: write it",
                );
            } else if spec.watchdog.is_some()
                && spec.launch.is_empty()
                && spec.r#type != Some(ServiceType::Notify)
            {
                let text = "is for a program that reports: write `probe`, or `type = \"notify\"` if it does so itself";
                self.fault(&["watchdog"], text);
            }
            return None;
        };
        let mut asked = vec![match ready {
            Ready::Probe(probe) => {
                Asked { option: "--ready", at: &["ready"], probe, status: None, body: None }
            }
            Ready::Answer(a) => Asked {
                option: "--ready",
                at: &["ready", "probe"],
                probe: &a.probe,
                status: a.status.as_deref(),
                body: a.body.as_deref(),
            },
        }];
        if let Some((watchdog, probe)) = spec.watchdog.as_ref().and_then(|w| Some((w, w.probe.as_ref()?))) {
            asked.push(Asked {
                option: "--watchdog",
                at: &["watchdog", "probe"],
                probe,
                status: watchdog.status.as_deref(),
                body: watchdog.body.as_deref(),
            });
        }
        self.fits();
        let mut words =
            vec![format!("{}/{WATCHER}", program_dir(&self.known.catalog.product.name)), "run".to_owned()];
        for asked in asked {
            words.extend(self.asked(&asked, role));
        }
        words.push("--".to_owned());
        Some(words)
    }

    /// What goes together with `ready`.
    fn fits(&mut self) {
        if !self.known.catalog.product.programs.iter().any(|p| p == WATCHER) {
            let text = format!("needs `{WATCHER}`, which is not packed: add it to product.programs");
            self.fault(&["ready"], &text);
        }
        if !self.spec.launch.is_empty() {
            self.fault(
                &["ready"],
                "is for a service with `exec`, a launched one reports when it is up: leave it out",
            );
        }
        if self.spec.r#type.is_some_and(|t| t != ServiceType::Notify) {
            self.fault(&["type"], "a service with `ready` is of type notify: leave it out");
        }
        if self.spec.directives.service.contains_key("NotifyAccess") {
            let text = "is written by `ready`, the watcher is not the main process: leave it out";
            self.fault(&["directives", "Service", "NotifyAccess"], text);
        }
    }

    fn asked(&mut self, asked: &Asked<'_>, role: Option<&Role>) -> Vec<String> {
        let beside = |field| [asked.at[0], field];
        let mut words = vec![asked.option.to_owned()];
        let options = [("--http-status", asked.status, "status"), ("--http-body", asked.body, "body")];
        let values =
            options.iter().filter_map(|(option, value, field)| Some((*option, (*value)?, beside(*field))));
        let values: Vec<_> = values.collect();
        self.word(asked.at, asked.probe, role);
        words.push(quote(asked.probe));
        let literal = read(asked.probe);
        if let Some(literal) = &literal {
            if let Err(why) = Probe::parse(literal) {
                self.fault(asked.at, &format!("is no probe: {why}"));
            } else if asked.option == "--watchdog" && literal.starts_with("log:") {
                self.fault(asked.at, "a line of output tells of the start only: use another probe");
            }
        }
        for (option, value, at) in values {
            self.word(&at, value, role);
            words.extend([option.to_owned(), quote(value)]);
            let Some((literal, value)) =
                literal.as_deref().zip(read(value)).filter(|(l, _)| Probe::parse(l).is_ok())
            else {
                continue;
            };
            let line = ["--ready", literal, option, &value, "--"].map(OsString::from);
            if let Err(failure) = Options::parse(line.into_iter()) {
                // `--option value`: why: what to do.
                let why = failure.message.split_once("`: ").map(|(_, why)| why);
                let why = why.and_then(|w| w.strip_suffix(": see `notify-helper --help`"));
                self.fault(
                    &at,
                    &format!("does not fit the probe: {}", why.unwrap_or("see notify-helper(1)")),
                );
            }
        }
        words
    }

    /// A word that systemd reads as it reads those of the command.
    fn word(&mut self, at: &[&str], word: &str, role: Option<&Role>) {
        self.rule(at, text::line(word));
        self.expanded(at, word, role);
        self.specifier(at, word);
    }
}

/// The word as the program sees it, where that is known beforehand.
fn read(word: &str) -> Option<String> {
    let plain = word.replace("$$", "").replace("%%", "");
    (!plain.contains(['$', '%'])).then(|| word.replace("$$", "$").replace("%%", "%"))
}
