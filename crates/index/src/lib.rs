//! The indices of a repository: reads a published index with its compressed forms, changes entries, and writes the next
//! one. An index consists of pieces. Pieces without a change are neither parsed nor compressed again; their compressed
//! form is copied.
//!
//! Only the entry at the end of a piece decides that the piece ends there. The same entries therefore give the same
//! bytes, in whatever order they were added.
//!
//! This is a separate crate because `cargo xtask` optimizes it even in a debug build.

mod gz;
mod kind;
mod list;
mod pack;
mod versions;
mod xz;

pub use gz::unpack;
pub use kind::Kind;
pub use list::List;
pub use pack::{Form, Packed};
pub use versions::{Version, versions};
