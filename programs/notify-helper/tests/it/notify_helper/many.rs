//! No notification is lost, although each sender is gone at once.

use std::time::Instant;

use super::place;

/// `NOTIFICATIONS=10000` is what is promised; it takes a minute.
#[test]
fn send_and_exit_loses_none() {
    let count = std::env::var("NOTIFICATIONS").map_or(200, |n| n.parse().unwrap());
    let place = place("many");
    let began = Instant::now();
    for round in 0..count {
        let running = place.run(&["--ready", "file:/"], &["sleep", "60"]);
        let message = place.manager.next().0;
        assert!(message.starts_with("READY=1\n"), "{round}: {message}");
        // Only its sender's life tells the manager whose message it is: it waits until it is confirmed.
        let (barrier, fd) = place.manager.next();
        assert_eq!(barrier, "BARRIER=1", "{round}");
        if round < 20 {
            assert_eq!(running.watchers().len(), 1, "{round}");
        }
        drop(fd);
    }
    let each = began.elapsed() / count;
    eprintln!("{count} notifications, {each:?} each");
}
