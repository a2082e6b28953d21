//! `alert`: sends an alert that a unit has failed; `OnFailure=` of the unit starts it.
//!
//! The modules, in the order of their use: [`options`] and [`config`] are the input, [`limit`] decides
//! whether to send now, [`facts`] and [`journal`] collect what happened, [`message`] formats it, and
//! [`delivery`] sends it with [`post`] and [`mail`]. [`child`] runs other programs with limits.
//!
//! Facts come from systemctl and journalctl, because a unit rarely fails, both are always installed with
//! systemd, and both support system and user managers with their permissions. Their output is untrusted,
//! including log lines.

pub(crate) mod child;
pub(crate) mod config;
pub(crate) mod delivery;
pub(crate) mod facts;
pub(crate) mod journal;
pub(crate) mod limit;
pub(crate) mod mail;
pub(crate) mod message;
pub(crate) mod options;
pub(crate) mod post;
pub(crate) mod refusal;
pub(crate) mod url;

use std::time::SystemTime;

use base::failure::{Failure, reason};
use base::say::say;

use config::Config;
use facts::Facts;
use limit::{Limit, Turn};
use options::Options;

/// Parts of the names of all alert units: an alert about an alert could repeat without end.
const ITSELF: [&str; 2] = ["-alert@", "-alert-mail@"];

/// Delivers an alert. If one was sent a moment ago, waits until the next one is due, with the number of
/// failures since.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let began = SystemTime::now();
    let unit = &options.unit;
    if ITSELF.iter().any(|own| unit.contains(own)) {
        say(format!("warning: `{unit}`: no alert is sent about an alert unit: see its journal"));
        return Ok(());
    }
    let (config, faults) = Config::read(&options.config);
    faults.iter().for_each(|fault| say(format!("error: {fault}")));
    let limit = Limit::from_environment(unit, config.interval);
    // An unknown unit must not be counted either.
    let mut facts = Facts::gather(options)?;
    if let Some(limit) = &limit {
        let turn = limit.turn(began);
        if let Turn::Later { left, since } = turn {
            say(format!("`{unit}` failed again: the next alert is sent in {} s", left.as_secs()));
            std::thread::sleep(left);
            facts = Facts::gather_now(options)?;
            facts.again = Some(journal::failures(options, since).max(1));
        }
        // Record the time first: if this process is killed, the alert must not be sent twice.
        let noted = if turn == Turn::Now { began } else { SystemTime::now() };
        if let Err(e) = limit.note(noted) {
            let todo = "free space there, or alerts may be sent too often";
            say(format!("error: `{}`: {}: {todo}", limit.path().display(), reason(&e)));
        }
    }
    let lines = journal::lines(options, &facts, config.lines);
    let delivered = delivery::deliver(options, &config, &facts, &lines);
    match (delivered, faults.is_empty()) {
        (false, _) => Err(Failure::failed(format!("`{unit}`: some alerts were not delivered: see above"))),
        (true, false) => Err(Failure::configuration(format!(
            "`{unit}`: alert sent, but the configuration has errors: correct them"
        ))),
        (true, true) => Ok(()),
    }
}
