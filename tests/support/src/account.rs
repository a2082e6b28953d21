//! A fresh system account, removed with its home when it is dropped.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A fresh account.
pub struct Account {
    pub name: String,
    pub home: PathBuf,
}

impl Account {
    /// Creates an account whose name starts with `start`.
    pub fn new(start: &str) -> Account {
        let name = format!("{start}{}", std::process::id());
        let home = PathBuf::from(format!("/var/tmp/{name}"));
        // Created as an administrator would, with subordinate IDs.
        let output =
            Command::new("useradd").args(["--create-home", "--home-dir"]).arg(&home).arg(&name).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Account { name, home }
    }

    /// Returns a command that runs as this user in its home, with a minimal environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &self.name, "--regid", &self.name, "--init-groups", "--"]).arg(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &self.home)
            .current_dir(&self.home);
        for name in ["http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "CURL_CA_BUNDLE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = Command::new("userdel").args(["--force", "--remove", &self.name]).output();
    }
}
