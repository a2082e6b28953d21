//! No notification is lost, although each sender exits at once.

use std::time::Instant;

use super::place;

/// The promise holds for `NOTIFICATIONS=10000`, which takes a minute.
#[test]
fn send_and_exit_loses_none() {
    let count = std::env::var("NOTIFICATIONS").map_or(200, |n| n.parse().unwrap());
    let place = place("many");
    let began = Instant::now();
    for round in 0..count {
        let running = place.run(&["--ready", "file:/"], &["sleep", "60"]);
        let message = place.manager.next().0;
        assert!(message.starts_with("READY=1\n"), "{round}: {message}");
        // The manager attributes a message only while its sender runs, so the sender waits for the confirmation.
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
