//! Repositories as machines see them: a web server, the documented lines, what apt and dnf do with good and bad ones.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../packages/dist.rs"]
mod dist;
mod dnf;
mod hostile;
mod life;
#[path = "../robot/package.rs"]
#[allow(dead_code)]
mod package;
mod phase;
mod rotation;
mod site;
mod unattended;
