//! Programs and files that the package brings.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Programs or files that the package brings: exactly one of `files`, `binary`, `cargo` and `python`. In the fields of a
/// service and of a role, `${payload.NAME}` is the directory that they are installed in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Payload {
    /// Files and directories as they are: a path relative to the catalog, or a table with `from` and `exclude`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
    /// Program that was built elsewhere, by processor in Debian's spelling: `amd64` or `arm64`.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub binary: IndexMap<String, Binary>,
    /// Program of a Rust crate, which is built as a static program for every processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cargo: Option<Cargo>,
    /// Python packages from a lock, as a virtual environment with its commands in `bin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<Python>,
    /// Directory to install it in, below `/usr`, `/etc`, `/opt` or `/srv`. The default is `/usr/lib/<product>/<payload>`.
    /// Files below `/etc` are configuration: an upgrade keeps the changes of an administrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Directory that stands for the payload when a package is built without it. Such a payload comes with
    /// `--payload NAME=PATH`, or by hand on the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// Debian packages of shared libraries that the payload needs and no package of Debian has, by the name of the library:
    /// `"libfoo.so.1" = "libfoo1"`. What Debian has is found automatically.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub libraries: IndexMap<String, String>,
    /// Account of this catalog that owns the files. The default is `root`, so that a service cannot change its program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Mode of the files, in four digits. By default, it is `0755` for programs and `0644` for other files. Directories
    /// can be searched by everyone who can read the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// Files and directories: a path, or a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Files {
    /// Path of a file or directory, relative to the catalog.
    From(String),
    /// A path, and what to leave out.
    Some(SomeFiles),
}

/// A path, and what to leave out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SomeFiles {
    /// Path of a file or directory, relative to the catalog. Only a payload with `otherwise` can do without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Patterns of files and directories to leave out, in which `*` stands for any characters. A pattern without `/`,
    /// such as `*.map`, is compared with every name, any other with the path below `from`. `.git`, `__pycache__` and
    /// `*.pyc` are always left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

/// A program for one processor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Binary {
    /// Path of the program, relative to the catalog.
    pub from: String,
    /// SHA-256 of the program, as `sha256sum` prints it.
    pub sha256: String,
}

/// A program of a Rust crate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cargo {
    /// Path of the crate's `Cargo.toml`, relative to the catalog. A `Cargo.lock` must be there too.
    pub manifest: String,
    /// Name of the program. The default is the name of the crate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bin: Option<String>,
    /// Features of the crate to enable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// Python packages from a lock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Python {
    /// Path of the lock (`pylock.toml`, PEP 751), relative to the catalog. `cargo xtask lock` makes it. Only a payload with
    /// `otherwise` can do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// Versions of Python that the package is for, such as `["3.11", "3.13"]` for Debian 12 and 13.
    pub versions: Vec<String>,
    /// Requirements that `cargo xtask lock` puts into the lock, as pip reads them, such as `flask>=3`. The packages that these
    /// require are added automatically.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<String>,
    /// Requirements that replace those of other packages, such as `uvicorn` in the place of `uvicorn[standard]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    /// Patterns of files and directories of wheels to leave out, such as `tests`. They work as in `files`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Licenses of packages whose metadata names none, by the name of the package: `"example" = "MIT"`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub licenses: IndexMap<String, String>,
}
