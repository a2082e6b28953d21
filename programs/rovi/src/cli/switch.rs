//! `rovi switch`: see [`crate::executor::control`].

use crate::cli::{JSON, Takes, Verb, outcome};
use crate::executor::control::{Control, Done};
use crate::executor::job::Wait;
use crate::executor::refusal::Refusal;

/// The verb `switch`.
pub const VERB: Verb = Verb {
    name: "switch",
    takes: Takes::Service,
    options: &[JSON],
    about: "stop the running stack, then start another",
    more: "The new stack starts when the last process of the old one has ended. If the\nstart fails, the command fails and no stack runs.",
    examples: &[("rovi switch nav", "stop the running stack, start nav")],
    run: |arguments| outcome::run(arguments, act),
};

fn act(control: &mut Control<'_>, name: Option<&str>, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
    control.switch(name.unwrap_or_default(), wait)
}
