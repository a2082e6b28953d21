//! Commands on a machine, and what came of them.
//!
//! A command enters the running system from outside, as a debugger would: it works even when systemd does not
//! answer, and it has no login session, no terminal and no unit. What needs those is a
//! [`Session`](crate::Session) or `systemd-run`. It leads a session and process group of its own.

use std::time::Duration;
use std::{fmt, process as system};

use crate::machine::Machine;
use crate::output::{BOUND, Output, PLAIN, clear_environment};
use crate::process;

/// A command that is about to run; [`Machine::command`] and [`Machine::script`] make one.
#[must_use = "a command does nothing until it is run"]
pub struct Command<'m> {
    machine: &'m Machine,
    argv: Vec<String>,
    user: Option<String>,
    environment: Vec<String>,
    bound: Duration,
}

impl Machine {
    /// Runs a shell script as root.
    #[must_use = "a command that fails unnoticed proves nothing: say .ok() or .fails()"]
    #[track_caller]
    pub fn run(&self, script: &str) -> Output<'_> {
        self.script(script).run()
    }

    /// Runs a shell script as a user, without a login session.
    #[must_use = "a command that fails unnoticed proves nothing: say .ok() or .fails()"]
    #[track_caller]
    pub fn run_as(&self, user: &str, script: &str) -> Output<'_> {
        self.script(script).user(user).run()
    }

    /// A shell script, to be run with settings of its own.
    pub fn script(&self, script: &str) -> Command<'_> {
        self.command(&["bash", "-c", script])
    }

    /// A program and its arguments, to be run with settings of its own.
    pub fn command(&self, argv: &[&str]) -> Command<'_> {
        Command::new(self, argv)
    }
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
    clear_environment(&mut command);
    command
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
