//! The terminal, if there is one: colours, a turning sign while something takes time, plain text everywhere else.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use base::plain::Plain;
use base::report::State;
use base::span;

/// How often the sign turns.
pub const TURN: Duration = Duration::from_millis(120);

const SIGNS: [char; 4] = ['|', '/', '-', '\\'];

/// One of the two outputs.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Somebody looks at it, and it can move its cursor.
    pub terminal: bool,
    colours: bool,
}

/// What a colour means.
#[derive(Debug, Clone, Copy)]
pub enum Colour {
    /// It works.
    Green,
    /// It is under way, or worth a look.
    Yellow,
    /// It is wrong.
    Red,
    /// It is not important.
    Dim,
}

impl Screen {
    /// Standard output.
    pub fn output() -> Screen {
        Screen::new(io::stdout().is_terminal())
    }

    /// Standard error.
    pub fn errors() -> Screen {
        Screen::new(io::stderr().is_terminal())
    }

    fn new(terminal: bool) -> Screen {
        let term = std::env::var_os("TERM");
        let terminal = terminal && term.is_some_and(|term| term != "dumb" && !term.is_empty());
        // https://no-color.org: whatever it says, as long as it says something.
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Screen { terminal, colours }
    }

    /// A text in a colour, and nothing else of it.
    pub fn paint(self, text: &str, colour: Colour) -> String {
        let text = Plain(text);
        let code = match colour {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "1;31",
            Colour::Dim => "2",
        };
        if self.colours { format!("\x1b[{code}m{text}\x1b[m") } else { text.to_string() }
    }

    /// A state, filled up to a width.
    pub fn state(self, state: State, width: usize) -> String {
        let colour = match state {
            State::Running => Colour::Green,
            State::Starting | State::Stopping => Colour::Yellow,
            State::Failed | State::Missing => Colour::Red,
            State::Stopped => Colour::Dim,
        };
        self.paint(&format!("{:width$}", state.describe()), colour)
    }
}

/// A line on standard error that shows that something is going on; nothing where nobody looks.
#[derive(Debug)]
pub struct Spinner {
    screen: Screen,
    begin: Instant,
    turns: usize,
}

impl Spinner {
    /// Not shown before the first turn.
    pub fn new() -> Spinner {
        Spinner { screen: Screen::errors(), begin: Instant::now(), turns: 0 }
    }

    /// How often it is to be turned, if at all.
    pub fn every(&self) -> Option<Duration> {
        self.screen.terminal.then_some(TURN)
    }

    /// Turns it.
    pub fn turn(&mut self, what: &str) {
        let sign = SIGNS[self.turns % SIGNS.len()];
        self.turns += 1;
        let line = format!("{sign} {what}, {}", span::describe(self.begin.elapsed()));
        let _ = write!(io::stderr(), "\r\x1b[K{}", self.screen.paint(&line, Colour::Dim));
    }
}

impl Default for Spinner {
    fn default() -> Self {
        Spinner::new()
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if self.turns > 0 {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
