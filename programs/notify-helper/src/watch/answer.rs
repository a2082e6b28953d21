//! What comes of asking.

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is so.
    Yes,
    /// It is not, and why.
    No(String),
}

/// No, because of this.
pub(crate) fn no(why: impl Into<String>) -> Answer {
    Answer::No(why.into())
}
