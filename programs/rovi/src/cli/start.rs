//! `rovi start`: see [`crate::executor::control`].

use crate::cli::{JSON, Takes, Verb, outcome};
use crate::executor::control::{Control, Done};
use crate::executor::job::Wait;
use crate::executor::refusal::Refusal;

/// The verb.
pub const VERB: Verb = Verb {
    name: "start",
    takes: Takes::Service,
    options: &[JSON],
    about: "start a stack, and wait until it really runs",
    more: "What runs already is left as it is. It is refused while the gateway is down or\nanother stack runs: then `rovi switch` is what you want.",
    examples: &[
        ("rovi start nav", "start the stack nav"),
        ("rovi start nav --json", "the same for a program"),
    ],
    run: |arguments| outcome::run(arguments, act),
};

fn act(control: &mut Control<'_>, name: Option<&str>, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
    control.start(name.unwrap_or_default(), wait)
}
