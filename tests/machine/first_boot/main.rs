//! A card's first boots, on booted machines on which the boot partition is a folder: what a person asked for is done,
//! once, and whatever is cut in between is done at the next boot. ssh and wpa_supplicant have stand-ins; `useradd`,
//! `chpasswd` and systemd are the real ones.
#![allow(clippy::unwrap_used, missing_docs)]

mod card;
mod cut;
mod hostile;
mod once;
mod overlay;
