//! Repositories as machines see them: a web server, the documented lines, what apt and dnf do with good and bad ones.
#![allow(clippy::unwrap_used, missing_docs)]

mod dnf;
mod hostile;
mod life;
#[allow(dead_code)]
mod phase;
mod rotation;
mod site;
mod unattended;
