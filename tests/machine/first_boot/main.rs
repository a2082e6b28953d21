//! A card's first boots, on booted machines whose boot partition is a folder. The configuration is applied
//! once, and the next boot finishes whatever a power loss interrupted. ssh and wpa_supplicant have stand-ins;
//! `useradd`, `chpasswd` and systemd are real.
#![allow(clippy::unwrap_used, missing_docs)]

mod card;
mod cut;
mod hostile;
mod once;
mod overlay;
