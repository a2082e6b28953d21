//! The package comes and goes.
