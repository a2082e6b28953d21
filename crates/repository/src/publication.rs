//! The values that every stage of a publication needs.

use super::description::Description;
use super::key::Key;
use super::moment::Moment;
use super::site::Site;

pub(super) struct Publication<'a> {
    pub(super) site: &'a Site,
    pub(super) description: &'a Description,
    /// Signing keys; only the first one signs where a format has a single signature.
    pub(super) keys: &'a [Key],
    pub(super) moment: Moment,
}
