//! `rovi restart`: see [`crate::executor::control`].

use crate::cli::{JSON, Takes, Verb, outcome};
use crate::executor::control::{Control, Done};
use crate::executor::job::Wait;
use crate::executor::refusal::Refusal;

/// The verb.
pub const VERB: Verb = Verb {
    name: "restart",
    takes: Takes::Service,
    options: &[JSON],
    about: "stop and start a stack again",
    more: "What does not run is started. A restart of the gateway, which only an\nadministrator may do, stops the stack that runs, and does not start it again.",
    examples: &[
        ("rovi restart nav", "stop nav and start it again"),
        ("sudo rovi restart gateway", "with changed settings in /etc/rovi"),
    ],
    run: |arguments| outcome::run(arguments, act),
};

fn act(control: &mut Control<'_>, name: Option<&str>, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
    control.restart(name.unwrap_or_default(), wait)
}
