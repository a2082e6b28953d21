//! The executor starts, stops and watches the services of a table over systemd's D-Bus API, and returns the
//! real result.
//!
//! [`systemd`] is the connection and does not know the table. [`snapshot`] creates a [`base::report::Status`]
//! from systemd, `/proc` and the lock; [`control`] changes the state. Nothing here prints or needs more
//! permissions than polkit grants. Only [`guard`] (the site's command) and [`log`] (journalctl) start
//! processes.

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
