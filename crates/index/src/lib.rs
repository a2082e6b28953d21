//! The indices of a repository: reads a published index with its compressed forms, changes entries, and packs
//! the next version. An index is divided into pieces, and a piece whose entries are unchanged is neither
//! parsed nor compressed again.
//!
//! The end of a piece depends only on the entry there, so the same entries give the same bytes, regardless of
//! the order in which they were added. This crate does not interpret the fields.
//!
//! It is a crate of its own so that debug builds can optimize it.

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
