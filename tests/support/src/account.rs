//! An account that nothing was set up for, gone with its home when the test is.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The account.
pub struct Account {
    pub name: String,
    pub home: PathBuf,
}

impl Account {
    /// Makes one, whose name begins so.
    pub fn new(start: &str) -> Account {
        let name = format!("{start}{}", std::process::id());
        let home = PathBuf::from(format!("/var/tmp/{name}"));
        // As an administrator makes one; its subordinate identities come with it.
        let made =
            Command::new("useradd").args(["--create-home", "--home-dir"]).arg(&home).arg(&name).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Account { name, home }
    }

    /// A command as this user, in its home, who gets nothing of ours but what is named.
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
