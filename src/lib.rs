//! What the programs on the machine share with each other and with the toolchain that packs them.
//!
//! No templates and no packaging live here; see `ARCHITECTURE.md`.

pub mod table;
