//! The JSON output of `rovi doctor`.
//!
//! `report.schema.json` includes these types. New fields, checks and values may be added; one that changes
//! its meaning or is removed raises [`crate::report::SCHEMA`].

use serde::{Deserialize, Serialize};

/// Output of `rovi doctor --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    /// Version of this schema.
    pub schema: u32,
    /// Short name of the product.
    pub product: String,
    /// Version of its package.
    pub version: String,
    /// The user who ran the command; some findings depend on it.
    pub user: String,
    /// All findings; causes come before their effects.
    pub findings: Vec<Finding>,
}

/// A problem or a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The check: `group`, `journal`, `polkit`, `rule`, `files`, `env-file`, `setup`, `lock`, `unit`,
    /// `override`, `drop-in`, `boot`, `expectation`, `restart`, `disk` or `clock`.
    pub check: String,
    /// Severity of the finding.
    pub severity: Severity,
    /// The unit, file, group or other object.
    pub about: String,
    /// Message for people: what is wrong, and why it matters.
    pub what: String,
    /// Shell command that fixes it.
    pub fix: String,
    /// Who must run the command.
    pub by: By,
}

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work, or will fail.
    Problem,
    /// A difference that may be intentional.
    Note,
}

/// Who must run a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// An administrator, as root.
    Root,
    /// The user, in the same session.
    You,
}

impl Finding {
    /// Creates a problem that root can fix.
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

    /// Changes the severity to a note.
    pub fn note(self) -> Finding {
        Finding { severity: Severity::Note, ..self }
    }

    /// Changes the finding to one that the user can fix.
    pub fn by_you(self) -> Finding {
        Finding { by: By::You, ..self }
    }
}
