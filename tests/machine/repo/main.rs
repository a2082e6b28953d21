//! Repositories from a machine's view: a web server, the documented commands, and apt and dnf with valid and
//! tampered ones.
#![allow(clippy::unwrap_used, missing_docs)]

mod dnf;
mod hostile;
mod life;
#[allow(dead_code)]
mod phase;
mod rotation;
mod site;
mod unattended;
