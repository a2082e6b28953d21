//! Packages into an image that somebody else made.
