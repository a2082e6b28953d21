//! Commands on a machine.
//!
//! A command enters the running system from outside, as with `nsenter`: it works even if systemd does not
//! respond, and it has no login session, terminal or unit. Use [`Session`](crate::Session) or `systemd-run`
//! if you need those. It leads its own session and process group.

use std::time::Duration;
use std::{fmt, process as system};

use crate::machine::Machine;
use crate::output::{BOUND, Output, PLAIN, clear_environment};
use crate::process;

/// A command to run; created by [`Machine::command`] and [`Machine::script`].
#[must_use = "a command does nothing until you run it"]
pub struct Command<'m> {
    machine: &'m Machine,
    argv: Vec<String>,
    user: Option<String>,
    environment: Vec<String>,
    bound: Duration,
}

impl Machine {
    /// Runs a shell script as root.
    #[must_use = "check the result with .ok() or .fails()"]
    #[track_caller]
    pub fn run(&self, script: &str) -> Output<'_> {
        self.script(script).run()
    }

    /// Runs a shell script as a user, without a login session.
    #[must_use = "check the result with .ok() or .fails()"]
    #[track_caller]
    pub fn run_as(&self, user: &str, script: &str) -> Output<'_> {
        self.script(script).user(user).run()
    }

    /// Returns a shell script to configure and run.
    pub fn script(&self, script: &str) -> Command<'_> {
        self.command(&["bash", "-c", script])
    }

    /// Returns a program with arguments to configure and run.
    pub fn command(&self, argv: &[&str]) -> Command<'_> {
        Command::new(self, argv)
    }
}

impl<'m> Command<'m> {
    pub(crate) fn new(machine: &'m Machine, argv: &[&str]) -> Self {
        let argv = argv.iter().map(|&word| word.to_owned()).collect();
        Self { machine, argv, user: None, environment: Vec::new(), bound: BOUND }
    }

    /// Runs the command as this user, with the user's current groups, instead of as root.
    pub fn user(mut self, name: &str) -> Self {
        self.user = Some(name.to_owned());
        self
    }

    /// Adds an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push(format!("{name}={value}"));
        self
    }

    /// Sets the time limit; the default is thirty seconds. A timeout gives status 124.
    pub fn within(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// Runs the command and waits for its end.
    ///
    ///
    /// # Panics
    ///
    ///
    /// If the machine does not have the user, or `nsenter` cannot start.
    #[must_use = "check the result with .ok() or .fails()"]
    #[track_caller]
    pub fn run(self) -> Output<'m> {
        let mut command = enter(self.machine, &["setsid"]);
        if let Some(user) = &self.user {
            // Unlike `su` or `runuser`, setpriv leaves no process in between and does not use PAM.
            let group = primary_group(self.machine, user);
            command.args(["setpriv", &format!("--reuid={user}"), &format!("--regid={group}")]);
            command.args(["--init-groups", "--reset-env"]);
        }
        // Restores what `setpriv` has cleared.
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

/// Returns the host's command that enters a machine.
pub(crate) fn enter(machine: &Machine, argv: &[&str]) -> system::Command {
    let mut command = system::Command::new("nsenter");
    command.args(["--all", "--target", &machine.leader().to_string(), "--"]);
    // An inherited ignored SIGHUP (`nohup`) would reach login shells, and terminals could not be closed.
    command.args(["env", "--default-signal"]).args(argv);
    clear_environment(&mut command);
    command
}

/// Returns the ID of the user's primary group.
#[track_caller]
fn primary_group(machine: &Machine, user: &str) -> String {
    let users = machine.read("/etc/passwd").unwrap_or_default();
    let mut entries = users.lines().map(|entry| entry.split(':').collect::<Vec<_>>());
    match entries.find(|fields| fields[0] == user).as_deref() {
        Some([_, _, _, group, ..]) => (*group).to_owned(),
        _ => panic!("the machine has no user `{user}`: add it with `Plan::user` or `Machine::add_user`"),
    }
}
