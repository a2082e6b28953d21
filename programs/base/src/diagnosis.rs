//! What `rovi doctor` tells a program: the types of its JSON.
//!
//! `report.schema.json` holds them too. A field, a check or a word may be added without notice; one that changes or
//! goes raises [`crate::report::SCHEMA`].

use serde::{Deserialize, Serialize};

/// What `rovi doctor --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    /// Number of this schema.
    pub schema: u32,
    /// Short name of the product.
    pub product: String,
    /// Version of its package.
    pub version: String,
    /// For whom it was looked: what somebody may do depends on who they are.
    pub user: String,
    /// Everything that is not as it should be, causes before what comes of them.
    pub findings: Vec<Finding>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What was looked at: `group`, `journal`, `polkit`, `rule`, `files`, `env-file`, `setup`, `lock`, `unit`,
    /// `override`, `drop-in`, `boot`, `expectation`, `restart`, `disk` or `clock`.
    pub check: String,
    /// How much it matters.
    pub severity: Severity,
    /// The unit, file, group or place that it is about.
    pub about: String,
    /// One line for people: what is, and why that is no good.
    pub what: String,
    /// The shell command that puts it right.
    pub fix: String,
    /// Who runs it.
    pub by: By,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work, or will not.
    Problem,
    /// Somebody may want it so.
    Note,
}

/// Who runs a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// An administrator, as root.
    Root,
    /// Whoever asked, in their own session.
    You,
}

impl Finding {
    /// A problem that root puts right.
    pub fn problem(
        check: &str,
        about: impl ToString,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        Finding {
            check: check.to_owned(),
            severity: Severity::Problem,
            about: about.to_string(),
            what: what.into(),
            fix: fix.into(),
            by: By::Root,
        }
    }

    /// The same, but only worth knowing.
    pub fn note(self) -> Finding {
        Finding { severity: Severity::Note, ..self }
    }

    /// The same, but put right by whoever asked.
    pub fn by_you(self) -> Finding {
        Finding { by: By::You, ..self }
    }
}
