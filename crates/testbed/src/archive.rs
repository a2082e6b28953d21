//! Finds the Debian archive: the mirror, proxy and credentials of the host's apt, so that roots can be built
//! wherever the host can install packages.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process;

/// Environment variable for another mirror.
pub(crate) const MIRROR_VARIABLE: &str = "ROVI_MACHINE_MIRROR";

const DEFAULT_MIRROR: &str = "http://deb.debian.org/debian";

/// apt settings needed to reach an archive: proxies, certificates, timeouts, and the accepted age of a
/// mirror.
const SETTINGS: [&str; 4] =
    ["Acquire::http", "Acquire::https", "Acquire::Check-Valid-Until", "Acquire::Check-Date"];

/// Access to a Debian archive.
pub(crate) struct Archive {
    /// URL of a mirror that carries every suite.
    pub(crate) mirror: String,
    /// apt settings in the form `Name "value";`.
    pub(crate) settings: Vec<String>,
    /// Files and folders of `/etc/apt` with credentials for mirrors.
    pub(crate) logins: Vec<&'static str>,
}

impl Archive {
    /// Returns the host's archive, or Debian's own if the host does not run Debian.
    pub(crate) fn of_host() -> Self {
        let mirror = env::var(MIRROR_VARIABLE).ok().filter(|mirror| !mirror.is_empty());
        let mirror = mirror.or_else(|| {
            // apt reads its own sources reliably: two formats, options, disabled entries.
            let format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
            debian_mirror(&ask("apt-get", &["indextargets", "--format", format, "Identifier: Packages"]))
        });
        let settings = ["dump", "--no-empty", "--format", "%F \"%v\";%n"];
        let settings = ask("apt-config", &[&settings, &SETTINGS[..]].concat());
        Self {
            mirror: mirror.unwrap_or_else(|| DEFAULT_MIRROR.to_owned()),
            settings: settings.lines().map(str::to_owned).collect(),
            logins: ["/etc/apt/auth.conf", "/etc/apt/auth.conf.d"]
                .into_iter()
                .filter(|login| Path::new(login).exists())
                .collect(),
        }
    }
}

/// Returns the first full Debian mirror among apt's targets. Other vendors' repositories may end in `/debian`
/// too, but none has a component `main` and a release named like a Debian suite.
fn debian_mirror(targets: &str) -> Option<String> {
    const RELEASES: [&str; 8] =
        ["bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing"];
    targets.lines().find_map(|target| {
        let mut words = target.split(' ');
        let (mirror, release, component) = (words.next()?, words.next()?, words.next()?);
        let mirror = mirror.trim_end_matches('/');
        (component == "main" && RELEASES.contains(&release) && mirror.ends_with("/debian"))
            .then(|| mirror.to_owned())
    })
}

/// Returns a program's output; empty if it is missing, because every caller has a default.
fn ask(program: &str, arguments: &[&str]) -> String {
    let ended = process::run(Command::new(program).args(arguments), Duration::from_secs(30));
    ended.ok().filter(|ended| ended.status == 0).map(|ended| ended.stdout).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::debian_mirror;

    #[test]
    fn takes_the_hosts_mirror_and_no_other_vendors() {
        let targets = "https://download.docker.com/linux/debian/ bookworm stable\n\
                       http://mirror.example/debian-security/ bookworm-security main\n\
                       http://mirror.example/debian/ bookworm-updates main\n\
                       http://mirror.example/debian/ bookworm main\n";
        assert_eq!(debian_mirror(targets).as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(debian_mirror("http://archive.ubuntu.com/ubuntu/ noble main\n"), None);
    }
}
