//! The indices of a repository: takes one as it was published, with its compressed forms, changes entries, makes the
//! next one. What did not change is neither parsed nor compressed again: an index is kept in pieces, and the compressed
//! form of a piece whose entries stayed is taken over as it is.
//!
//! Where a piece ends is a matter of the entry there and of nothing else, so the same entries make the same bytes, in
//! whatever order they came. What stands in a field is the toolchain's business.
//!
//! A crate of its own, because it is the part of `cargo xtask` that is optimized in a debug build.

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
