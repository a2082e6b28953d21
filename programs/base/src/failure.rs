//! The error of a program: one line for people, and an exit status.
//!
//! The line is `what: why: what to do`; the caller prints it with the prefix `error: `.

/// General failure.
pub const FAILED: u8 = 1;
/// Usage error.
pub const USAGE: u8 = 2;
/// polkit or the kernel denies permission.
pub const NOT_PERMITTED: u8 = 3;
/// Unknown service.
pub const UNKNOWN: u8 = 4;
/// Try again later: the lock is held, or a required unit is not active (`EX_TEMPFAIL`).
pub const REFUSED: u8 = 75;
/// Configuration error: something must be installed or corrected first (`EX_CONFIG`).
pub const CONFIGURATION: u8 = 78;

/// An error with an exit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Exit status: a constant of this module.
    pub status: u8,
    /// Message in one line.
    pub message: String,
}

impl Failure {
    /// Creates an error with status [`FAILED`].
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure { status: FAILED, message: message.into() }
    }

    /// Creates an error with status [`USAGE`].
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { status: USAGE, message: message.into() }
    }

    /// Creates an error with status [`REFUSED`].
    pub fn refused(message: impl Into<String>) -> Failure {
        Failure { status: REFUSED, message: message.into() }
    }

    /// Creates an error with status [`NOT_PERMITTED`].
    pub fn not_permitted(message: impl Into<String>) -> Failure {
        Failure { status: NOT_PERMITTED, message: message.into() }
    }

    /// Creates an error with status [`UNKNOWN`].
    pub fn unknown(message: impl Into<String>) -> Failure {
        Failure { status: UNKNOWN, message: message.into() }
    }

    /// Creates an error with status [`CONFIGURATION`].
    pub fn configuration(message: impl Into<String>) -> Failure {
        Failure { status: CONFIGURATION, message: message.into() }
    }
}

/// Returns the text of a system error in lower case and without `(os error N)`.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().collect::<String>() + letters.as_str(),
        None => String::new(),
    }
}
