//! What is done to many packages alike: side by side, as many at once as there are processors.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, anyhow};

/// Does it to each, and returns the results in their order. After one that fails no further one is begun; which of
/// several is reported is a matter of their order.
pub(super) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let count = thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let worker = || {
        let mut done = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(i) else { break };
            let result = work(item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            done.push((i, result));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let jobs: Vec<_> = (0..count).map(|_| scope.spawn(worker)).collect();
        let mut done = Vec::with_capacity(items.len());
        for job in jobs {
            done.extend(job.join().map_err(|_| anyhow!("a worker thread panicked"))?);
        }
        anyhow::Ok(done)
    })?;
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::each;

    #[test]
    fn results_are_in_order_and_the_first_failure_is_said() {
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
