//! Waiting for something to become true, within a bound.

use std::thread;
use std::time::{Duration, Instant};

/// What a probe answers: whether the awaited thing is there, or the thing itself.
pub trait Answer {
    /// What the one who waits gets.
    type Value;

    /// The value, if the wait is over.
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

/// Asks again and again, first after two milliseconds and then less often, until there is an answer or the
/// time is up.
pub(crate) fn wait_for<A: Answer>(bound: Duration, mut probe: impl FnMut() -> A) -> Option<A::Value> {
    let deadline = Instant::now() + bound;
    let mut pause = Duration::from_millis(2);
    loop {
        // Asked once more after the last pause: a probe that takes long must not cost the wait its end.
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
