//! The base root: takes locked packages, makes one deterministic tar of a configured system.
