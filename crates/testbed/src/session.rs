//! A person at a terminal: a real login through PAM and logind, with job control and Ctrl-C.

use std::env;
use std::io::Write;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::command::enter;
use crate::machine::Machine;
use crate::output::{BOUND, Evidence, Output};
use crate::process::{self, Ended, Tap};

const LOGIN_BOUND: Duration = Duration::from_secs(20);

/// Delimits what this module prints through the shell; nothing else prints this character.
const FENCE: char = '\x1e';

/// A login session on a pseudo-terminal of the machine, from [`Machine::login_session`]. Dropping it hangs
/// up.
pub struct Session<'m> {
    machine: &'m Machine,
    user: String,
    id: String,
    script: Child,
    keyboard: ChildStdin,
    screen: Tap,
}

impl Machine {
    /// Logs a user in on a terminal.
    ///
    ///
    /// # Panics
    ///
    ///
    /// If there is no shell in a logind session in time.
    #[track_caller]
    pub fn login_session(&self, user: &str) -> Session<'_> {
        Session::open(self, user)
    }

    /// Connects this process's terminal to a login of the user, for a person to look around.
    pub fn lend_terminal(&self, user: &str) -> Result<()> {
        lend_terminal(self, user)
    }
}

impl<'m> Session<'m> {
    #[track_caller]
    pub(crate) fn open(machine: &'m Machine, user: &str) -> Self {
        let mut command = enter(machine, &TERMINAL);
        command.arg(login(user)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut script = command.spawn().expect("`nsenter` starts");
        let keyboard = script.stdin.take().expect("its input is a pipe");
        let screen = Tap::new(script.stdout.take()).expect("a pipe that was just made");
        let mut session =
            Self { machine, user: user.to_owned(), id: String::new(), script, keyboard, screen };
        // `login` discards input typed before the prompt.
        let prompt = |screen: &str| (screen.ends_with("$ ") || screen.ends_with("# ")).then_some(());
        session.see("a prompt", LOGIN_BOUND, prompt);
        session.type_line("stty -echo -onlcr; PS1= PS2= PROMPT_COMMAND=");
        session.id = session.ask("\"$XDG_SESSION_ID\"", LOGIN_BOUND).1;
        assert!(!session.id.is_empty(), "login of `{user}`: no session{}", machine.evidence());
        session
    }

    /// Returns logind's ID of the session.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Runs a command in the foreground of the terminal and waits for its end; its output is what the
    /// terminal shows.
    #[must_use = "check the result with .ok() or .fails()"]
    #[track_caller]
    pub fn run(&mut self, command: &str) -> Output<'m> {
        let begin = Instant::now();
        self.type_line(command);
        let (stdout, status) = self.ask("$?", BOUND);
        let status = status.parse().expect("a shell's status is a number");
        let ended = Ended { status, stdout, stderr: String::new(), took: begin.elapsed() };
        Output::new(format!("{}@tty$ {command}", self.user), ended, Some(self.machine))
    }

    /// Clears the screen, types a line and does not wait.
    #[track_caller]
    pub fn type_line(&mut self, line: &str) {
        self.screen.drain().expect("a pipe that is open");
        self.screen.forget();
        self.press(&format!("{line}\n"));
    }

    /// Presses Ctrl-C: the terminal sends SIGINT to its foreground process group.
    #[track_caller]
    pub fn interrupt(&mut self) {
        self.press("\x03");
    }

    /// Waits for the end of the last typed command; returns its status and what the screen shows.
    #[track_caller]
    pub fn finish(&mut self, bound: Duration) -> (i32, String) {
        // Ctrl-C discards input typed ahead, so this must come after it.
        let fence = FENCE as u32;
        self.press(&format!("printf '\\{fence:03o}%s\\{fence:03o}' $?\n"));
        let (before, status) = self.fenced(bound);
        (status.parse().expect("a shell's status is a number"), before)
    }

    /// Waits until the screen shows a text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str, bound: Duration) {
        self.see(&format!("{text:?}"), bound, |screen| screen.contains(text).then_some(()));
    }

    /// Logs out and waits until the session's processes have ended.
    #[track_caller]
    pub fn logout(mut self) {
        self.type_line("exit");
        let ended = process::wait(&mut self.script, LOGIN_BOUND);
        assert!(
            matches!(ended, Ok(Some(_))),
            "logout of `{}`: the shell stays{}",
            self.user,
            self.machine.evidence()
        );
    }

    /// Makes the shell print a word between two delimiters; returns the screen before it, and the word.
    #[track_caller]
    fn ask(&mut self, word: &str, bound: Duration) -> (String, String) {
        let fence = FENCE as u32;
        self.press(&format!("printf '\\{fence:03o}%s\\{fence:03o}' {word}\n"));
        self.fenced(bound)
    }

    #[track_caller]
    fn fenced(&mut self, bound: Duration) -> (String, String) {
        self.see("the shell's answer", bound, |screen| {
            let mut parts = screen.split(FENCE);
            let (before, word, _) = (parts.next()?, parts.next()?, parts.next()?);
            Some((before.to_owned(), word.to_owned()))
        })
    }

    #[track_caller]
    fn see<T>(&mut self, what: &str, bound: Duration, find: impl FnMut(&str) -> Option<T>) -> T {
        let seen = self.screen.wait_for(Instant::now() + bound, find).expect("a pipe that is open");
        seen.unwrap_or_else(|| {
            let (user, seconds) = (&self.user, bound.as_secs_f64());
            let screen = self.screen.text();
            panic!(
                "terminal of `{user}`: no {what} after {seconds:.1} s; it shows:\n{screen}{}",
                self.machine.evidence()
            )
        })
    }

    #[track_caller]
    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal is open");
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // Without `script` the pseudo-terminal has no other side: the kernel sends SIGHUP, as for a closed
        // window.
        process::end(&mut self.script);
    }
}

/// Connects this process's terminal to a login on the machine until that logs out.
pub(crate) fn lend_terminal(machine: &Machine, user: &str) -> Result<()> {
    let mut command = enter(machine, &TERMINAL);
    command.arg(login(user)).envs(env::var("TERM").map(|term| ("TERM", term)));
    // The exit status of `login` says nothing about the shell.
    command.status().context("cannot start `nsenter`").map(drop)
}

/// Creates a pseudo-terminal inside the machine; one of the host would have no name there. It must not lead a
/// session, because then the terminal would become its own and not the login's.
const TERMINAL: [&str; 5] = ["script", "--quiet", "--return", "/dev/null", "--command"];

/// What a getty runs. It uses `exec` because `login` leaves its parent's process group and would then be in
/// the background of its own terminal.
fn login(user: &str) -> String {
    format!("exec login -f {user}")
}
