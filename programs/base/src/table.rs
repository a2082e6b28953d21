//! The table of a product's services, `services.json`: made by the toolchain from a catalog, installed beside
//! `/usr/share/<product>/`, read by the programs and by whoever wants to know what a product can run.
//!
//! It holds facts only. Programs find it from where they are themselves ([`Table::of_this_program`]), so two products
//! on one machine never see each other's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The number that a reader checks before it believes the rest.
pub const SCHEMA: u32 = 1;

/// The file's name.
pub const FILE: &str = "services.json";

/// Every service of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// [`SCHEMA`] at the time of writing.
    pub schema: u32,
    /// Short name of the product: `/etc/<product>`, `/run/<product>`.
    pub product: String,
    /// Name of the package that installed this file.
    pub package: String,
    /// Version of that package.
    pub version: String,
    /// Day of its release, `YYYY-MM-DD`: no machine that has it lives before that.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub date: String,
    /// Group whose members may control services without sudo, if the product has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operators: Option<String>,
    /// In the order of the catalog.
    pub services: Vec<Service>,
    /// Lock files, which tmpfiles.d makes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub locks: Vec<LockFile>,
    /// Environment files as they are shipped; an administrator changes them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub env_files: Vec<EnvFile>,
    /// Files that work only as they are shipped: units, rules and the like.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub files: Vec<Shipped>,
}

/// One service: its unit, and for a launched one everything that `run_stack` does around the launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The name people type.
    pub name: String,
    /// The systemd unit that runs it.
    pub unit: String,
    /// One line for people.
    pub description: String,
    /// The default tables that the catalog's entry comes from, nearest first (`stack`, …).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kinds: Vec<String>,
    /// Account that it runs as.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// Whether it starts at boot.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub boot: bool,
    /// What `run_stack` starts and how; absent where the unit runs its program directly.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub launch: Option<Launch>,
    /// The unit without which this one must not run; run_stack checks it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub only_while: Option<String>,
    /// Names of processes whose presence in the unit's cgroup shows that it works.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub processes: Vec<String>,
    /// Fixed frame for visualisation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub frame: Option<String>,
    /// What members of [`Table::operators`] may do with it: `start`, `stop`, …
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub permits: Vec<String>,
    /// A command of the site that is asked before the service is stopped for somebody.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guard: Option<Guard>,
    /// Environment that other services should be running with.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub expects: Vec<Expects>,
}

/// How `run_stack` launches a service. Strings may contain `${NAME}` where noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The command; extra arguments of the person follow it. Taken literally.
    pub argv: Vec<String>,
    /// Variables that the unit sets, set by run_stack itself when a person starts it by hand; the file wins.
    #[serde(rename = "env", skip_serializing_if = "BTreeMap::is_empty", default)]
    pub environment: BTreeMap<String, String>,
    /// The environment file that the unit loads, read by run_stack itself when a person starts it by hand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub env_file: Option<PathBuf>,
    /// Shell scripts sourced by bash, in this order, before the launch.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub setup: Vec<Setup>,
    /// Working directory; `${NAME}` is expanded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub directory: Option<String>,
    /// Exclusive lock held until the last descendant is gone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lock: Option<PathBuf>,
    /// File that names the running launch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<Session>,
}

/// One setup script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Path of the script; `${NAME}` is expanded.
    pub path: String,
    /// What a person does when it is missing or fails; `${NAME}` is expanded.
    pub hint: String,
    /// The same as a shell command, where one is enough; `${NAME}` is expanded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fix: Option<String>,
}

/// The session file: there while the launch runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Path below the home directory of the user who runs the launch.
    pub path: PathBuf,
    /// The whole content, without the final newline.
    pub content: String,
}

/// Asked before a stop: status 0 is a yes; with any other one the output is the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The command. It finds what is asked in its environment: `GUARD_VERB` and `GUARD_SERVICE`.
    pub command: Vec<String>,
    /// How long it may take, as units write spans; a guard that takes longer has said no.
    pub timeout: String,
}

/// A lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whom it belongs to.
    pub user: String,
    /// The group that may take it.
    pub group: String,
}

/// An environment file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvFile {
    /// Where it is.
    pub path: PathBuf,
    /// Variable → value, as shipped.
    #[serde(rename = "env")]
    pub environment: BTreeMap<String, String>,
}

/// A file of the package that nobody changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipped {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// What `cksum` says of it.
    pub cksum: u32,
}

/// What a service needs another one to have been started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expects {
    /// Name of the other service in this table.
    pub service: String,
    /// Its unit.
    pub unit: String,
    /// Variable → value.
    #[serde(rename = "env")]
    pub environment: BTreeMap<String, String>,
}

impl Table {
    /// Finds the unit of a service, if that is one of those that share this lock.
    pub fn find_unit_under(&self, lock: &Path, service: &str) -> Option<&str> {
        let mut sharing = self.launchable().filter(|(_, launch)| launch.lock.as_deref() == Some(lock));
        sharing.find_map(|(s, _)| (s.name == service).then_some(&*s.unit))
    }

    /// Reads and checks the table of the running executable: for `/usr/libexec/<product>/PROGRAM` that is
    /// `/usr/share/<product>/services.json`; anywhere else it lies beside the program.
    pub fn of_this_program() -> Result<Table, String> {
        let exe =
            std::env::current_exe().map_err(|e| format!("cannot find the path of this program: {e}"))?;
        Table::read(&Table::path_for(&exe))
    }

    fn path_for(exe: &Path) -> PathBuf {
        let installed = exe.parent().and_then(|product| {
            let libexec =
                product.parent().filter(|dir| dir.file_name().is_some_and(|name| name == "libexec"))?;
            Some(libexec.parent()?.join("share").join(product.file_name()?).join(FILE))
        });
        installed.unwrap_or_else(|| exe.with_file_name(FILE))
    }

    /// Reads and checks the table at `path`.
    pub fn read(path: &Path) -> Result<Table, String> {
        let shown = path.display();
        let bytes = std::fs::read(path)
            .map_err(|e| format!("`{shown}`: {e}: reinstall the package that ships it"))?;
        let table: Table = serde_json::from_slice(&bytes)
            .map_err(|e| format!("`{shown}`: {e}: reinstall the package that ships it"))?;
        if table.schema != SCHEMA {
            return Err(format!(
                "`{shown}`: schema {}, but this program requires {SCHEMA}: install programs and table from \
                 the same package",
                table.schema
            ));
        }
        Ok(table)
    }

    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.name == name)
    }

    /// The services that `run_stack` can launch.
    pub fn launchable(&self) -> impl Iterator<Item = (&Service, &Launch)> {
        self.services.iter().filter_map(|s| Some((s, s.launch.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Table;

    #[test]
    fn an_installed_program_reads_its_own_products_table() {
        let path = |exe| Table::path_for(Path::new(exe)).display().to_string();
        assert_eq!(path("/usr/libexec/robot/run_stack"), "/usr/share/robot/services.json");
        assert_eq!(path("/tmp/x/run_stack"), "/tmp/x/services.json");
        assert_eq!(path("/libexec/run_stack"), "/libexec/services.json");
    }
}
