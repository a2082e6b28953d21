//! What is measured. A binary of its own, because cargo runs one after the other: beside a test that builds or boots, no
//! figure says anything.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::{Mutex, MutexGuard, PoisonError};

mod bench;
mod image;
mod tryout;

/// For a test as long as it holds this: nor do these run beside each other.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
