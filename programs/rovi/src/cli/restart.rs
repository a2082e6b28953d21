//! `rovi restart`: see [`crate::executor::control`].

use crate::cli::{JSON, Takes, Verb, outcome};
use crate::executor::control::{Control, Done};
use crate::executor::job::Wait;
use crate::executor::refusal::Refusal;

/// The verb `restart`.
pub const VERB: Verb = Verb {
    name: "restart",
    takes: Takes::Service,
    options: &[JSON],
    about: "stop a stack and start it again",
    more: "A stopped stack is started. Only an administrator may restart the gateway,\nwhich stops the running stack and does not start it again.",
    examples: &[
        ("rovi restart nav", "restart nav"),
        ("sudo rovi restart gateway", "apply changed settings from /etc/rovi"),
    ],
    run: |arguments| outcome::run(arguments, act),
};

fn act(control: &mut Control<'_>, name: Option<&str>, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
    control.restart(name.unwrap_or_default(), wait)
}
