//! `rovi switch`: see [`crate::executor::control`].

use crate::cli::{JSON, Takes, Verb, outcome};
use crate::executor::control::{Control, Done};
use crate::executor::job::Wait;
use crate::executor::refusal::Refusal;

/// The verb.
pub const VERB: Verb = Verb {
    name: "switch",
    takes: Takes::Service,
    options: &[JSON],
    about: "stop the stack that runs, then start another",
    more: "The new one starts when the last process of the old one is gone. If it fails,\nthe old one stays stopped, and that is said: nothing moves by itself.",
    examples: &[("rovi switch nav", "from whatever runs to nav")],
    run: |arguments| outcome::run(arguments, act),
};

fn act(control: &mut Control<'_>, name: Option<&str>, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
    control.switch(name.unwrap_or_default(), wait)
}
