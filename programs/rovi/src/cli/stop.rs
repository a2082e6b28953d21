//! `rovi stop`: see [`crate::executor::control`].

use crate::cli::{JSON, Takes, Verb, outcome};
use crate::executor::control::{Control, Done};
use crate::executor::job::Wait;
use crate::executor::refusal::Refusal;

/// The verb `stop`.
pub const VERB: Verb = Verb {
    name: "stop",
    takes: Takes::MaybeService,
    options: &[JSON],
    about: "stop a stack, or the running stack",
    more: "The command waits until the last process of the stack has ended.",
    examples: &[("rovi stop", "stop the running stack"), ("rovi stop nav", "stop the stack nav")],
    run: |arguments| outcome::run(arguments, act),
};

fn act(control: &mut Control<'_>, name: Option<&str>, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
    control.stop(name, wait)
}
