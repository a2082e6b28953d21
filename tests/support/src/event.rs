//! Waits for events instead of for time.

use std::time::{Duration, Instant};

/// The longest that anything takes on a busy machine.
const BOUND: Duration = Duration::from_secs(30);

#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < BOUND, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
