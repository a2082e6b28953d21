//! Turns between tests that measure and tests that keep both processors and the disk at work for minutes: what is
//! measured beside those says nothing.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static TURNS: RwLock<()> = RwLock::new(());

/// For a test that measures, as long as it holds this.
pub(crate) fn measuring() -> RwLockWriteGuard<'static, ()> {
    TURNS.write().unwrap_or_else(PoisonError::into_inner)
}

/// For one that takes everything, as long as it holds this.
pub(crate) fn busy() -> RwLockReadGuard<'static, ()> {
    TURNS.read().unwrap_or_else(PoisonError::into_inner)
}
