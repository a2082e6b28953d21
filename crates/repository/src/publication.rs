//! What every part of a publication needs to know.

use super::description::Description;
use super::key::Key;
use super::moment::Moment;
use super::site::Site;

/// One publication.
pub(super) struct Publication<'a> {
    pub(super) site: &'a Site,
    pub(super) description: &'a Description,
    /// The first one signs where there is room for one signature.
    pub(super) keys: &'a [Key],
    pub(super) moment: Moment,
}
