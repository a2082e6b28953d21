//! `rovi start`: see [`crate::executor::control`].

use crate::cli::{JSON, Takes, Verb, outcome};
use crate::executor::control::{Control, Done};
use crate::executor::job::Wait;
use crate::executor::refusal::Refusal;

/// The verb `start`.
pub const VERB: Verb = Verb {
    name: "start",
    takes: Takes::Service,
    options: &[JSON],
    about: "start a stack, and wait until it runs",
    more: "A stack that is already running is not restarted. The command fails while the\ngateway is down or another stack runs: use `rovi switch` then.",
    examples: &[("rovi start nav", "start the stack nav"), ("rovi start nav --json", "the same as JSON")],
    run: |arguments| outcome::run(arguments, act),
};

fn act(control: &mut Control<'_>, name: Option<&str>, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
    control.start(name.unwrap_or_default(), wait)
}
