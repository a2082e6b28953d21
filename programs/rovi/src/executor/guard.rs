//! The site's guard: a command from the table that can refuse a stop, for example while the robot moves.
//!
//! It runs with the permissions of the caller, and only in this executor. It prevents mistakes, but does not
//! protect against deliberate misuse.

use std::process::Command;

use base::failure::{Failure, reason};
use base::span;
use base::table::Service;

use crate::executor::ask;

/// Limit for the displayed output.
const LONGEST: usize = 300;

/// Runs the guard of the service, if it has one; an error is a refusal of `verb`.
pub fn ask(service: &Service, verb: &str) -> Result<(), Failure> {
    let Some(guard) = &service.guard else { return Ok(()) };
    let no = |why: &str| {
        let todo = format!("to stop it anyway, run `systemctl stop {}`", service.unit);
        Failure::refused(format!("{}: the guard refuses: {why}: {todo}", service.name))
    };
    let Some((program, arguments)) = guard.command.split_first() else { return Ok(()) };
    let bound = span::parse(&guard.timeout).unwrap_or(std::time::Duration::from_secs(5));
    let mut command = Command::new(program);
    command.args(arguments).env("GUARD_VERB", verb).env("GUARD_SERVICE", &service.name);
    let answer =
        ask::run(command, bound).map_err(|e| no(&format!("cannot run `{program}` ({})", reason(&e))))?;
    match answer.status {
        Some(status) if status.success() => Ok(()),
        Some(status) => match flatten(&answer.text) {
            text if text.is_empty() => Err(no(&format!("`{program}` gave no reason ({status})"))),
            text => Err(no(&text)),
        },
        None => Err(no(&format!("`{program}` did not answer within {}", span::describe(bound)))),
    }
}

/// Formats the output as one line that is safe for terminals.
fn flatten(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty());
    words
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(LONGEST)
        .collect::<String>()
        .trim_end_matches('.')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::ask;
    use base::table::{Guard, Service};

    fn guarded(script: &str, timeout: &str) -> Result<(), base::failure::Failure> {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        ask(&service(Some(Guard { command, timeout: timeout.to_owned() })), "stop")
    }

    fn service(guard: Option<Guard>) -> Service {
        serde_json::from_value(serde_json::json!({
            "name": "nav", "unit": "x-nav.service", "description": "", "guard": guard,
        }))
        .unwrap()
    }

    #[test]
    fn its_output_is_the_reason() {
        assert_eq!(guarded("exit 0", "5s"), Ok(()));
        assert_eq!(ask(&service(None), "stop"), Ok(()));
        let no = guarded("printf 'it  moves\\033[31m\\n%s %s.' $GUARD_VERB $GUARD_SERVICE; exit 7", "5s")
            .unwrap_err();
        assert_eq!(no.status, 75);
        assert_eq!(
            no.message,
            "nav: the guard refuses: it moves [31m stop nav: to stop it anyway, run `systemctl stop \
             x-nav.service`"
        );
        assert!(guarded("exit 7", "5s").unwrap_err().message.contains("gave no reason"));
    }

    #[test]
    fn one_that_hangs_or_is_not_there_says_no() {
        let begin = Instant::now();
        let late = guarded("sleep 60", "100ms").unwrap_err();
        assert!(begin.elapsed() < Duration::from_secs(15));
        assert!(late.status == 75 && late.message.contains("did not answer within 0.1 s"), "{late:?}");
        let gone = Guard { command: vec!["/nowhere/guard".to_owned()], timeout: "5s".to_owned() };
        let gone = ask(&service(Some(gone)), "stop").unwrap_err();
        assert!(gone.message.contains("cannot run `/nowhere/guard` (no such file or directory)"), "{gone:?}");
    }
}
