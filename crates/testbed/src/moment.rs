//! Waits until a condition is true, with a time limit.

use std::thread;
use std::time::{Duration, Instant};

/// The result of a probe: whether the condition is true, or the awaited value.
pub trait Answer {
    /// The value that the caller gets.
    type Value;

    /// Returns the value if the wait is over.
    fn value(self) -> Option<Self::Value>;
}

impl Answer for bool {
    type Value = ();

    fn value(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Answer for Option<T> {
    type Value = T;

    fn value(self) -> Option<T> {
        self
    }
}

/// Polls with growing pauses, starting at two milliseconds, until there is a value or the time is up.
pub(crate) fn wait_for<A: Answer>(bound: Duration, mut probe: impl FnMut() -> A) -> Option<A::Value> {
    let deadline = Instant::now() + bound;
    let mut pause = Duration::from_millis(2);
    loop {
        // Polls once more after the last pause, because a slow probe may use up the time.
        let last = Instant::now() >= deadline;
        if let Some(value) = probe().value() {
            return Some(value);
        }
        if last {
            return None;
        }
        thread::sleep(pause.min(deadline.saturating_duration_since(Instant::now())));
        pause = (pause * 2).min(Duration::from_millis(25));
    }
}
