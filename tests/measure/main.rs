//! Measurements. They are a separate binary, because cargo runs binaries one after another: numbers are
//! meaningless while other tests build or boot.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::{Mutex, MutexGuard, PoisonError};

mod bench;
mod image;
mod tryout;

/// Held by a test while it measures, so that these do not run in parallel either.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
