//! Debian packages, control files and archives.

pub mod archive;
pub mod deb;
pub mod stanza;
