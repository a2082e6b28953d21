//! `cargo xtask try` on a terminal.

use std::io::{BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::command::xtask;
use testbed::host;

use crate::alone;

#[test]
fn a_shell_appears_in_a_machine_with_the_gateway_running() {
    let _turn = alone();
    let (mut quickest, mut bound) = (Duration::MAX, Duration::from_secs(3));
    // The first run may have to build root and packages; others may be slow because of other load.
    for _ in 0..6 {
        let begin = Instant::now();
        let mut person = Person::at("try rovi");
        let shown = person.read_until("robot:~# ");
        quickest = quickest.min(begin.elapsed());
        assert!(lines(&shown, "rovi-gateway.service").ends_with(" active"), "{shown}");
        assert!(lines(&shown, "rovi-nav.service").ends_with(" inactive"), "{shown}");
        assert!(shown.contains("`exit` or Ctrl-D removes the machine"), "{shown}");
        person.type_line(
            "systemctl is-active rovi-gateway; su - op -c 'systemctl start rovi-nav && echo st''arted'",
        );
        person.read_until("started");
        person.type_line("exit");
        assert!(person.child.wait().unwrap().success());
        bound = Duration::from_secs(3).mul_f64(host::busy());
        if quickest < bound {
            break;
        }
    }
    eprintln!("a shell after {quickest:?}");
    assert!(quickest < bound, "it took {quickest:?}, on a host {} times as busy as it can be", host::busy());
}

#[test]
fn it_may_be_another_suite_without_the_stand_ins() {
    let _turn = alone();
    let mut person = Person::at("try rovi --suite bookworm --bare");
    let shown = person.read_until("robot:~# ");
    assert!(shown.contains("bookworm with rovi-services_"), "{shown}");
    assert!(lines(&shown, "rovi-gateway.service").ends_with(" failed"), "{shown}");
    person.type_line("exit");
    assert!(person.child.wait().unwrap().success());
}

/// Returns the last line that names a unit.
fn lines<'s>(shown: &'s str, unit: &str) -> &'s str {
    shown.lines().rfind(|line| line.contains(unit)).unwrap_or_default().trim_end()
}

/// A person at a terminal.
struct Person {
    child: Child,
    screen: BufReader<std::process::ChildStdout>,
}

impl Person {
    fn at(verb: &str) -> Person {
        // As `cargo xtask` runs it, on a terminal.
        let words: Vec<&str> = verb.split(' ').collect();
        let ours = xtask(&words);
        let line = [ours.get_program()].into_iter().chain(ours.get_args()).map(|w| w.to_str().unwrap());
        let line = line.collect::<Vec<_>>().join(" ");
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "/dev/null", "--command", &line]);
        if let Some(folder) = ours.get_current_dir() {
            command.current_dir(folder);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let screen = BufReader::new(child.stdout.take().unwrap());
        Person { child, screen }
    }

    /// Reads the screen until a text appears; the machine's own limits end the wait.
    fn read_until(&mut self, text: &str) -> String {
        let mut shown = Vec::new();
        while !shown.ends_with(text.as_bytes()) {
            let mut byte = [0];
            assert_eq!(self.screen.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
            shown.extend(byte);
        }
        String::from_utf8_lossy(&shown).into_owned()
    }

    fn type_line(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }
}
