//! What has to be there on a machine, as it is written: accounts, groups, slices, directories, files.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::raw::bounds::Limits;
use crate::raw::directive::Directive;

/// What is asked of the machine itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Machine {
    /// The hardware resets the machine when its service manager has not been heard of for this time; from the next
    /// boot on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware_watchdog: Option<String>,
}

/// Settings of a program or unit that is not the product's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DropIn {
    /// Why the product sets them; becomes a comment at the file's top.
    pub why: String,
    /// Section, setting, value; a list becomes one line each.
    pub settings: IndexMap<String, IndexMap<String, Directive>>,
}

/// A system user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Account {
    /// Who this is, for `getent passwd`.
    pub description: String,
    /// Home directory of its own, below `/var/lib`, `/srv`, `/opt` or `/home`, made with mode 0750; none when left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Login shell; no login when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// Further groups, made when they do not exist yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Groups that it belongs to where they exist: never made. Looked at whenever a service of it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups_if_present: Vec<String>,
    /// Its own service manager runs from boot on, so that user services of it need no login (`loginctl
    /// enable-linger`). Taken back when the package goes.
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
    /// What its members may do.
    pub description: String,
}

/// A slice: bounds for everything that runs in it, together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Slice {
    /// One line for people.
    pub description: String,
    /// The bounds: `cpu-quota`, `memory-max`, `tasks-max`.
    #[serde(default)]
    pub limits: Limits,
}

/// A directory that has to be there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Directory {
    /// Account or `root` that it belongs to, with the group of that name; `root` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Who may do what there: `0700`, `0750`, …; `0755` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// A configuration file that the package brings, for an administrator to change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// All of it.
    pub text: String,
}
