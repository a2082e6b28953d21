//! The table of a product's services, `services.json`: generated from a catalog, installed in
//! `/usr/share/<product>/`, and read by the programs.
//!
//! Programs find the table by their own path ([`Table::of_this_program`]), so two products on one machine
//! never read each other's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Version of the schema, which a reader must check first.
pub const SCHEMA: u32 = 1;

/// File name.
pub const FILE: &str = "services.json";

/// All services of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// [`SCHEMA`] when the file was written.
    pub schema: u32,
    /// Short name of the product: `/etc/<product>`, `/run/<product>`.
    pub product: String,
    /// Name of the package that installed this file.
    pub package: String,
    /// Version of that package.
    pub version: String,
    /// Date of the release, `YYYY-MM-DD`: a clock before that date is wrong.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub date: String,
    /// Group whose members may control services without sudo, if the product has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operators: Option<String>,
    /// In the order of the catalog.
    pub services: Vec<Service>,
    /// Lock files, which tmpfiles.d creates.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub locks: Vec<LockFile>,
    /// Environment files with their shipped values; an administrator may change them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub env_files: Vec<EnvFile>,
    /// Files that must stay as shipped: units, rules and similar.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub files: Vec<Shipped>,
}

/// A service: its unit and, if `run_stack` launches it, the details of the launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Name that people type.
    pub name: String,
    /// The systemd unit that runs it.
    pub unit: String,
    /// Description for people.
    pub description: String,
    /// Default tables of the catalog entry, nearest first (`stack`, …).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kinds: Vec<String>,
    /// Account of the service.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// Whether it starts at boot.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub boot: bool,
    /// How `run_stack` launches the service; absent if the unit runs its program directly.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub launch: Option<Launch>,
    /// Unit that must be active while this service runs; run_stack checks that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub only_while: Option<String>,
    /// Names of processes that must be in the unit's cgroup for the service to work.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub processes: Vec<String>,
    /// Fixed frame for visualization.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub frame: Option<String>,
    /// Verbs that members of [`Table::operators`] may use: `start`, `stop`, …
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub permits: Vec<String>,
    /// Command of the site that can refuse a stop of the service.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guard: Option<Guard>,
    /// Environment that other services should have.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub expects: Vec<Expects>,
}

/// How `run_stack` launches a service. Strings may contain `${NAME}` where noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Command, taken literally; additional arguments of the caller follow.
    pub argv: Vec<String>,
    /// Variables of the unit, which run_stack sets after a start by hand; the environment file overrides
    /// them.
    #[serde(rename = "env", skip_serializing_if = "BTreeMap::is_empty", default)]
    pub environment: BTreeMap<String, String>,
    /// Environment file of the unit, which run_stack reads after a start by hand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub env_file: Option<PathBuf>,
    /// Shell scripts that bash sources before the launch, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub setup: Vec<Setup>,
    /// Working directory; `${NAME}` is expanded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub directory: Option<String>,
    /// Exclusive lock, held until the last descendant has ended.
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
    /// What to do if the script is missing or fails; `${NAME}` is expanded.
    pub hint: String,
    /// Shell command that fixes that, if there is one; `${NAME}` is expanded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fix: Option<String>,
}

/// The session file, which exists while the launch runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Path below the home directory of the user who runs the launch.
    pub path: PathBuf,
    /// Complete content, without the final newline.
    pub content: String,
}

/// A command that can refuse a stop: any status other than 0 refuses, with the output as the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The command; its environment contains `GUARD_VERB` and `GUARD_SERVICE`.
    pub command: Vec<String>,
    /// Time limit in systemd's format; a timeout is a refusal.
    pub timeout: String,
}

/// A lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Owner of the file.
    pub user: String,
    /// The group that may take it.
    pub group: String,
}

/// An environment file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Shipped values by variable.
    #[serde(rename = "env")]
    pub environment: BTreeMap<String, String>,
}

/// A file of the package that must stay unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipped {
    /// Path of the file.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// Checksum as printed by `cksum`.
    pub cksum: u32,
}

/// Environment that a service expects of another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expects {
    /// Name of the other service in this table.
    pub service: String,
    /// Unit of the other service.
    pub unit: String,
    /// Expected values by variable.
    #[serde(rename = "env")]
    pub environment: BTreeMap<String, String>,
}

impl Table {
    /// Returns the unit of a service that uses this lock.
    pub fn find_unit_under(&self, lock: &Path, service: &str) -> Option<&str> {
        let mut sharing = self.launchable().filter(|(_, launch)| launch.lock.as_deref() == Some(lock));
        sharing.find_map(|(s, _)| (s.name == service).then_some(&*s.unit))
    }

    /// Reads the table of the running program: for `/usr/libexec/<product>/PROGRAM`,
    /// `/usr/share/<product>/services.json`; otherwise the file next to the program.
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

    /// Returns a service by name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.name == name)
    }

    /// Returns the services that `run_stack` can launch.
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
