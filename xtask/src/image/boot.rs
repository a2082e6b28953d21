//! The boot test of a finished image.
