//! Why a program gives up: one line for a person, and the exit status for whoever started it.
//!
//! The line is `what: why: what to do`; `error: ` is put before it where it is printed. Nothing is printed
//! here.

/// Something went wrong that nothing else describes.
pub const FAILED: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// polkit or the kernel does not permit it to this user.
pub const NOT_PERMITTED: u8 = 3;
/// There is no service of that name.
pub const UNKNOWN: u8 = 4;
/// Not now: the lock is held, or the unit it depends on does not run (`EX_TEMPFAIL`).
pub const REFUSED: u8 = 75;
/// Something has to be installed or corrected first (`EX_CONFIG`).
pub const CONFIGURATION: u8 = 78;

/// A reason to give up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit status: one of this module's constants.
    pub status: u8,
    /// One line.
    pub message: String,
}

impl Failure {
    /// [`FAILED`], with this line.
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure { status: FAILED, message: message.into() }
    }

    /// [`USAGE`], with this line.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { status: USAGE, message: message.into() }
    }

    /// [`REFUSED`], with this line.
    pub fn refused(message: impl Into<String>) -> Failure {
        Failure { status: REFUSED, message: message.into() }
    }

    /// [`NOT_PERMITTED`], with this line.
    pub fn not_permitted(message: impl Into<String>) -> Failure {
        Failure { status: NOT_PERMITTED, message: message.into() }
    }

    /// [`UNKNOWN`], with this line.
    pub fn unknown(message: impl Into<String>) -> Failure {
        Failure { status: UNKNOWN, message: message.into() }
    }

    /// [`CONFIGURATION`], with this line.
    pub fn configuration(message: impl Into<String>) -> Failure {
        Failure { status: CONFIGURATION, message: message.into() }
    }
}

/// What the system says about an error, in the lower case of our messages and without `(os error N)`.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().collect::<String>() + letters.as_str(),
        None => String::new(),
    }
}
