//! Results of probes.

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The probe passed.
    Yes,
    /// The probe failed, for this reason.
    No(String),
}

pub(crate) fn no(why: impl Into<String>) -> Answer {
    Answer::No(why.into())
}
