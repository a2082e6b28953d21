//! What the programs on the machine share with each other and with the toolchain that packs them.
//!
//! No templates and no packaging live here; see `ARCHITECTURE.md`. [`table`] is what programs and toolchain
//! share; everything else belongs to `run_stack`, with [`launch`] as its way from beginning to end.

pub mod env_file;
pub mod environment;
pub mod expects;
pub mod failure;
pub mod launch;
pub mod leftovers;
pub mod lock;
pub mod manager;
mod moment;
pub mod notify;
pub mod only_while;
pub mod processes;
pub mod program;
pub mod session;
pub mod setup;
pub mod show;
pub mod signals;
pub mod supervisor;
pub mod table;
