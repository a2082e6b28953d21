//! The executor: starts, stops and watches the services of a table over systemd's D-Bus, and says what really came of
//! it.
//!
//! [`systemd`] is the connection and knows no table. [`snapshot`] makes a [`base::report::Status`] of what systemd,
//! `/proc` and the lock show, [`control`] changes it. Nothing here prints; nothing needs more permission than polkit
//! gives the caller; nothing forks but [`guard`] (the site's own command) and [`log`] (journalctl).

pub mod ask;
pub mod control;
pub mod doctor;
pub mod fields;
pub mod guard;
pub mod job;
pub mod log;
pub mod message;
pub mod presence;
pub mod refusal;
pub mod running;
pub mod snapshot;
pub mod standing;
pub mod systemd;
pub mod unit;
pub mod watch;
