//! Commands on a machine, and what came of them.
//!
//! A command enters the running system from outside, as a debugger would: it works even when systemd does not
//! answer, and it has no login session, no terminal and no unit. What needs those is a
//! [`Session`](crate::Session) or `systemd-run`. It leads a session and process group of its own.

use std::time::Duration;
use std::{fmt, process as system};

use crate::machine::Machine;
use crate::process::{self, Ended, OUT_OF_TIME};

/// How long a command may take unless it says otherwise.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes programs speak English, without colours, pagers and questions.
const PLAIN: [(&str, &str); 5] = [
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("LANG", "C.UTF-8"),
    ("SYSTEMD_COLORS", "0"),
    ("SYSTEMD_PAGER", ""),
    ("TERM", "dumb"),
];

/// A command that is about to run; [`Machine::command`] and [`Machine::script`] make one.
#[must_use = "a command does nothing until it is run"]
pub struct Command<'m> {
    machine: &'m Machine,
    argv: Vec<String>,
    user: Option<String>,
    environment: Vec<String>,
    bound: Duration,
}

impl<'m> Command<'m> {
    pub(crate) fn new(machine: &'m Machine, argv: &[&str]) -> Self {
        let argv = argv.iter().map(|&word| word.to_owned()).collect();
        Self { machine, argv, user: None, environment: Vec::new(), bound: BOUND }
    }

    /// Runs as this user, with all of the user's groups as they are now, instead of as root.
    pub fn user(mut self, name: &str) -> Self {
        self.user = Some(name.to_owned());
        self
    }

    /// Adds a variable to the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push(format!("{name}={value}"));
        self
    }

    /// Ends the command after this time, with status 124, instead of after thirty seconds.
    pub fn within(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// Runs it and waits for its end.
    ///
    /// # Panics
    /// When the machine has no such user, or the tools that enter a machine do not start.
    #[must_use = "a command that fails unnoticed proves nothing: say .ok() or .fails()"]
    #[track_caller]
    pub fn run(self) -> Output<'m> {
        let mut command = enter(self.machine, &["setsid"]);
        if let Some(user) = &self.user {
            // Not `su` or `runuser`, which stay in between and ask PAM; this is the user and nothing else.
            let group = primary_group(self.machine, user);
            command.args(["setpriv", &format!("--reuid={user}"), &format!("--regid={group}")]);
            command.args(["--init-groups", "--reset-env"]);
        }
        // What `setpriv` has cleared, `env` sets again.
        let plain = PLAIN.map(|(name, value)| format!("{name}={value}"));
        command.arg("env").args(plain).args(&self.environment).args(&self.argv);
        let ended = process::run(&mut command, self.bound).expect("`nsenter` starts");
        Output::new(self.to_string(), ended, Some(self.machine))
    }
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.argv.strip_prefix(&["bash".to_owned(), "-c".to_owned()]).unwrap_or(&self.argv);
        write!(
            f,
            "{}{}",
            self.user.as_deref().map_or("# ".to_owned(), |user| format!("{user}$ ")),
            words.join(" ")
        )
    }
}

/// The host's side of a command on a machine.
pub(crate) fn enter(machine: &Machine, argv: &[&str]) -> system::Command {
    let mut command = system::Command::new("nsenter");
    command.args(["--all", "--target", &machine.leader().to_string(), "--"]);
    // A tester's `nohup` would reach as far as the shell of a login, and no window could be closed.
    command.args(["env", "--default-signal"]).args(argv);
    plain(&mut command);
    command
}

/// Takes the host's environment away from a command that runs inside.
pub(crate) fn plain(command: &mut system::Command) -> &mut system::Command {
    command.env_clear().env("PATH", PATH).env("HOME", "/root").envs(PLAIN)
}

/// The number of a user's own group.
#[track_caller]
fn primary_group(machine: &Machine, user: &str) -> String {
    let users = machine.read("/etc/passwd").unwrap_or_default();
    let mut entries = users.lines().map(|entry| entry.split(':').collect::<Vec<_>>());
    match entries.find(|fields| fields[0] == user).as_deref() {
        Some([_, _, _, group, ..]) => (*group).to_owned(),
        _ => panic!("the machine has no user `{user}`: add it with `Plan::user` or `Machine::add_user`"),
    }
}

/// How a command ended. The checks return it again, so that they can follow each other; one that fails panics
/// with the command, its output, and the last lines of journal and console.
pub struct Output<'m> {
    /// What ran, and who ran it.
    pub command: String,
    /// Its exit status as a shell has it: 128 plus the number of the signal that ended it, 124 when its time
    /// was up.
    pub status: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
    /// How long it took, the way into the machine (about five milliseconds) included.
    pub took: Duration,
    machine: Option<&'m Machine>,
}

impl<'m> Output<'m> {
    pub(crate) fn new(command: String, ended: Ended, machine: Option<&'m Machine>) -> Self {
        let Ended { status, stdout, stderr, took } = ended;
        Self { command, status, stdout, stderr, took, machine }
    }

    /// Whether it ended with status 0.
    pub fn success(&self) -> bool {
        self.status == 0
    }

    /// What it printed, without the white space around it.
    pub fn text(&self) -> &str {
        self.stdout.trim()
    }

    /// Checks that it ended with status 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Checks that it ended with another status than 0, by itself and in time.
    #[track_caller]
    pub fn fails(self) -> Self {
        if self.success() || self.status == OUT_OF_TIME { self.complain("a failure") } else { self }
    }

    /// Checks that it ended with this status.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        if self.status == status { self } else { self.complain(&format!("status {status}")) }
    }

    /// Checks that its output or its complaints contain a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        if self.stdout.contains(text) || self.stderr.contains(text) {
            self
        } else {
            self.complain(&format!("{text:?}"))
        }
    }

    #[track_caller]
    fn complain(self, expected: &str) -> ! {
        let (output, evidence) = (self.to_string(), self.machine.map(Machine::evidence).unwrap_or_default());
        panic!("expected {expected}: {}{evidence}", output.trim_end());
    }
}

/// The command and its output, for messages.
impl fmt::Display for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let late = if self.status == OUT_OF_TIME { ", its time was up" } else { "" };
        writeln!(f, "{}\nstatus {} after {:.2} s{late}", self.command, self.status, self.took.as_secs_f64())?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "--- {name}\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
