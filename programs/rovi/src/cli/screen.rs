//! Terminal output: colors and a spinner; plain text everywhere else.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use base::plain::Plain;
use base::report::State;
use base::span;

/// Interval of the spinner.
pub const TURN: Duration = Duration::from_millis(120);

const SIGNS: [char; 4] = ['|', '/', '-', '\\'];

/// Standard output or standard error.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Whether it is a terminal that can move its cursor.
    pub terminal: bool,
    colours: bool,
}

/// The meaning of a color.
#[derive(Debug, Clone, Copy)]
pub enum Colour {
    /// Working.
    Green,
    /// In progress, or worth a look.
    Yellow,
    /// Wrong.
    Red,
    /// Unimportant.
    Dim,
}

impl Screen {
    /// Returns standard output.
    pub fn output() -> Screen {
        Screen::new(io::stdout().is_terminal())
    }

    /// Returns standard error.
    pub fn errors() -> Screen {
        Screen::new(io::stderr().is_terminal())
    }

    fn new(terminal: bool) -> Screen {
        let term = std::env::var_os("TERM");
        let terminal = terminal && term.is_some_and(|term| term != "dumb" && !term.is_empty());
        // https://no-color.org: any value that is not empty.
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Screen { terminal, colours }
    }

    /// Colors a text and removes control characters from it.
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

    /// Formats a state with a minimum width.
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

/// A progress line on standard error; nothing if that is not a terminal.
#[derive(Debug)]
pub struct Spinner {
    screen: Screen,
    begin: Instant,
    turns: usize,
}

impl Spinner {
    /// Creates a spinner, which is invisible before the first turn.
    pub fn new() -> Spinner {
        Spinner { screen: Screen::errors(), begin: Instant::now(), turns: 0 }
    }

    /// Returns the interval, if the spinner is visible.
    pub fn every(&self) -> Option<Duration> {
        self.screen.terminal.then_some(TURN)
    }

    /// Draws the next state.
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
