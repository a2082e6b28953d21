//! Rules for single values: each takes a value, says what is wrong with it and what would be valid, and knows
//! nothing of catalogs.

pub mod about;
pub mod directive;
pub mod list;
pub mod name;
pub mod path;
pub mod quantity;
pub mod socket;
pub mod specifier;
pub mod text;
