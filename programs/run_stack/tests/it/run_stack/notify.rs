//! Tests the notifications to the service manager on a real socket, and that none is lost.

use std::os::unix::net::UnixDatagram;

use serde_json::json;
use support::manager::Manager;

use super::place;

#[test]
fn ready_comes_after_the_start_and_status_tells_the_rest() {
    let place = place("notify", &[]);
    let setup = place.write("setup.bash", "");
    let special =
        json!({ "launch": { "argv": place.tree(&["-daemon"]), "setup": [{ "path": setup, "hint": "" }] } });
    let place = super::place("notify", &[("a", special)]);
    place.write("setup.bash", "");
    let socket = Manager::bind(&place.path("n"));
    let running = place
        .start(place.command_of_unit(&["a"]).env("NOTIFY_SOCKET", place.path("n")), &["launch", "daemon"]);
    assert_eq!(socket.told(), "STATUS=reading the environment from setup scripts");
    let launch = place.pid("launch").unwrap();
    assert_eq!(socket.told(), format!("READY=1\nSTATUS=a runs as process {launch}"));
    place.write("launch.end", "3");
    let rest = "the launch exited with status 3, waiting for 1 of its processes to end";
    assert_eq!(socket.told(), format!("STOPPING=1\nSTATUS={rest}"));
    place.end(0);
    assert_eq!(running.outcome().status.code(), Some(3));
}

/// The manager cannot attribute a message whose sender has ended, so a refusal waits until its message was read.
#[test]
fn a_refusal_is_told_before_the_end() {
    let place = place("notify_refusal", &[("a", json!({ "launch": { "argv": ["no-such"] } }))]);
    let socket = Manager::bind(&place.path("n"));
    let mut running = place.start(place.command_of_unit(&["a"]).env("NOTIFY_SOCKET", place.path("n")), &[]);
    let (message, _) = socket.next();
    assert!(message.starts_with("STATUS=`no-such`: no such file or directory: "), "{message}");
    let (barrier, fd) = socket.next();
    assert_eq!(barrier, "BARRIER=1");
    assert!(!running.has_ended(), "it waits for the confirmation");
    drop(fd);
    assert_eq!(running.outcome().status.code(), Some(78));
}

/// A manager that hangs delays the request but does not prevent it.
#[test]
fn no_confirmation() {
    let place = place("notify_silent", &[("a", json!({ "launch": { "argv": ["true"] } }))]);
    let _socket = Manager::bind(&place.path("n"));
    let running = place.start(place.command_of_unit(&["a"]).env("NOTIFY_SOCKET", place.path("n")), &[]);
    running.outcome().is_success();
}

#[test]
fn an_abstract_socket_and_none_at_all() {
    let place = place("notify_abstract", &[("a", json!({ "launch": { "argv": ["true"] } }))]);
    let name = format!("run_stack-test-{}", std::process::id());
    let address =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name);
    let socket = Manager::of(UnixDatagram::bind_addr(&address.unwrap()).unwrap());
    let running = place.start(place.command_of_unit(&["a"]).env("NOTIFY_SOCKET", format!("@{name}")), &[]);
    assert!(socket.told().starts_with("READY=1\n"));
    running.outcome().is_success();
    super::outcome(place.command(&["a"]).env("NOTIFY_SOCKET", "/nonexistent/socket")).is_success();
}
