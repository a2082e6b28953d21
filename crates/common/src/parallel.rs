//! Runs the same work on many items in parallel.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, anyhow};

/// Returns how many threads this machine can run at once.
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs `work` on each item and returns the results in the order of the items. After a failure it starts no further
/// item. If several items fail, it returns the error of the first one.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    each_with(items, processors(), || (), |(), item| work(item))
}

/// Works like [`each`] on at most `threads` threads, each with its own state, such as a buffer.
pub fn each_with<T: Sync, R: Send, S>(
    items: &[T],
    threads: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let worker = || {
        let (mut state, mut done) = (state(), Vec::new());
        while !failed.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            let result = work(&mut state, item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            done.push((at, result));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(items.len())).map(|_| scope.spawn(worker)).collect();
        let mut done = Vec::with_capacity(items.len());
        for worker in workers {
            done.extend(worker.join().map_err(|_| anyhow!("a worker thread panicked"))?);
        }
        anyhow::Ok(done)
    })?;
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::each;

    #[test]
    fn results_are_in_order_and_the_first_failure_is_returned() {
        let numbers: Vec<u32> = (0..1000).collect();
        assert_eq!(
            each(&numbers, |n| Ok(n * 2)).expect("results"),
            numbers.iter().map(|n| n * 2).collect::<Vec<_>>()
        );
        let failed = each(&numbers, |n| if *n >= 500 { anyhow::bail!("{n}") } else { Ok(()) });
        assert_eq!(failed.expect_err("a failure").to_string(), "500");
        assert!(each(&[] as &[u32], |_| Ok(())).expect("nothing").is_empty());
    }
}
