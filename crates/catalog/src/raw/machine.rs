//! Accounts, groups, slices, directories and files of a machine.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::raw::bounds::Limits;
use crate::raw::directive::Directive;

/// Settings of the machine itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Machine {
    /// Time after which the hardware resets the machine if systemd hangs, such as `30s`. It takes effect at the
    /// next boot. By default, the hardware watchdog is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware_watchdog: Option<String>,
}

/// Settings of a program or unit that belongs to the system.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DropIn {
    /// Reason for the settings. It is the comment at the top of the file.
    pub why: String,
    /// Settings by section and name. A list becomes one line for each value.
    pub settings: IndexMap<String, IndexMap<String, Directive>>,
}

/// A system user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Account {
    /// Description of the account, as `getent passwd` shows it.
    pub description: String,
    /// Home directory of the account, below `/var/lib`, `/srv`, `/opt` or `/home`. It is created with mode 0750. By
    /// default, the account has no home directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Login shell, such as `/bin/bash`. By default, the account cannot log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// Additional groups. Groups that do not exist are created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Additional groups that may not exist on every machine. They are never created: the account joins a group if
    /// it exists when a service of the account starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups_if_present: Vec<String>,
    /// Whether the account's own service manager starts at boot (`loginctl enable-linger`), so that its user
    /// services need no login. The default is `false`. Removing the package disables it again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub linger: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A system group of people.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Group {
    /// Description of what its members may do.
    pub description: String,
}

/// A slice: limits on everything that runs in it, taken together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Slice {
    /// Description in one line.
    pub description: String,
    /// Limits of the slice: `cpu-quota`, `memory-max` and `tasks-max`.
    #[serde(default)]
    pub limits: Limits,
}

/// A directory that systemd-tmpfiles creates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Directory {
    /// Owner of the directory: an account, whose group becomes the group of the directory, or `root`, which is the
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Mode of the directory, in four digits. The default is `0755`; a mode that lets everybody write is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// A configuration file that the package brings. An upgrade keeps the changes of an administrator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Content of the file.
    pub text: String,
}
