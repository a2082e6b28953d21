//! `rovi stop`: see [`crate::executor::control`].

use crate::cli::{JSON, Takes, Verb, outcome};
use crate::executor::control::{Control, Done};
use crate::executor::job::Wait;
use crate::executor::refusal::Refusal;

/// The verb.
pub const VERB: Verb = Verb {
    name: "stop",
    takes: Takes::MaybeService,
    options: &[JSON],
    about: "stop a stack, or the one that runs",
    more: "It is over when the last process of the stack is gone.",
    examples: &[("rovi stop", "stop whatever stack runs"), ("rovi stop nav", "stop the stack nav")],
    run: |arguments| outcome::run(arguments, act),
};

fn act(control: &mut Control<'_>, name: Option<&str>, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
    control.stop(name, wait)
}
