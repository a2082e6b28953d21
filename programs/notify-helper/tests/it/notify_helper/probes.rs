//! Tests every probe: passing, failing and hanging.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use super::{Place, free_port, place};

/// Checks that the service is not ready for a while, whatever it prints.
#[track_caller]
fn not_ready(place: &Place) {
    let told = place.manager.told_within(Duration::from_millis(400));
    assert!(!told.iter().any(|message| message.starts_with("READY")), "{told:?}");
}

#[test]
fn tcp() {
    let place = place("tcp");
    for (host, bind, family) in [
        ("", "127.0.0.1", "AF_INET"),
        ("127.0.0.1:", "0.0.0.0", "AF_INET"),
        ("127.0.0.1:", "::", "AF_INET6"),
        ("[::1]:", "::1", "AF_INET6"),
        ("localhost:", "::1", "AF_INET6"),
    ] {
        let probe = format!("tcp:{host}{}", free_port());
        let port = probe.rsplit(':').next().unwrap();
        let running = place.python(
            &["--ready", &probe],
            &format!("s = socket({family}); s.bind(('{bind}', {port}))\nwhile not os.path.exists('go'): sleep(.01)\ns.listen(); sleep(60)"),
        );
        let name = if host.is_empty() { format!("port {port}") } else { format!("{host}{port}") };
        assert_eq!(place.manager.told(), format!("STATUS=waiting for {name}, 0 s: no process is listening"));
        // A bound socket does not listen yet.
        ready_once_let_go(&place);
        drop(running);
    }
}

/// Checks that the service becomes ready only after the test lets it continue, and then soon.
#[track_caller]
fn ready_once_let_go(place: &Place) {
    not_ready(place);
    std::fs::write(place.path("go"), "").unwrap();
    assert!(place.manager.wait_for("READY=1").starts_with("READY=1\nSTATUS=ready after "));
    std::fs::remove_file(place.path("go")).unwrap();
}

/// A client is ready when it is connected to its server.
#[test]
fn connected() {
    let place = place("connected");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    // A connection of another process does not count.
    let _other = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    for host in ["", "127.0.0.1:", "localhost:"] {
        let probe = format!("connected:{host}{port}");
        let running = place.python(
            &["--ready", &probe],
            &format!("s = socket()\nwhile not os.path.exists('go'): sleep(.01)\ns.connect(('127.0.0.1', {port})); sleep(60)"),
        );
        let told = format!("STATUS=waiting for a connection to {host}{port}, 0 s: not connected");
        assert_eq!(place.manager.told(), told);
        ready_once_let_go(&place);
        drop(running);
    }
}

/// The listener must belong to the service. Otherwise a process left from the last run would make the next run ready.
#[test]
fn a_foreign_listener_does_not_count() {
    let place = place("foreign");
    let (tcp, unix) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(place.path("u")).unwrap());
    let port = tcp.local_addr().unwrap().port();
    for probe in [
        format!("tcp:{port}"),
        format!("unix:{}", place.path("u").display()),
        format!("http://127.0.0.1:{port}"),
    ] {
        let running = place.run(&["--ready", &probe], &["sleep", "60"]);
        let status = place.manager.told();
        assert!(status.ends_with(", 0 s: a process of another unit is listening"), "{status}");
        not_ready(&place);
        drop(running);
    }
    drop(unix);
}

#[test]
fn another_address_does_not_count() {
    let place = place("address");
    let port = free_port();
    let _running = place.python(
        &["--ready", &format!("tcp:127.0.0.1:{port}")],
        &format!("s = socket(); s.bind(('127.0.0.2', {port})); s.listen(); open('up', 'w'); sleep(60)"),
    );
    super::wait_until("it listens", || place.path("up").exists());
    assert!(place.manager.wait_for("STATUS=").ends_with("no process is listening"));
    not_ready(&place);
}

#[test]
fn unix() {
    let place = place("unix");
    let path = place.path("a b").display().to_string();
    for (probe, bind) in [
        (format!("unix:{path}"), format!("'{path}'")),
        // The probe names the path that clients use; the server bound another one.
        (format!("unix:{path}"), "'a b'".to_owned()),
        ("unix:@nh-test".to_owned(), "'\\0nh-test'".to_owned()),
    ] {
        let _ = std::fs::remove_file(&path);
        let running = place.python(
            &["--ready", &probe],
            &format!("s = socket(AF_UNIX); s.bind({bind}); open('bound', 'w')\nwhile not os.path.exists('go'): sleep(.01)\ns.listen(); sleep(60)"),
        );
        super::wait_until("it is bound", || place.path("bound").exists());
        assert!(place.manager.told().starts_with("STATUS=waiting for socket "));
        std::fs::write(place.path("go"), "").unwrap();
        place.manager.wait_for("READY=1");
        std::fs::remove_file(place.path("go")).unwrap();
        drop(running);
    }
}

/// A server that sends given answers.
fn server(port: u16, answer: &str) -> String {
    format!(
        "s = socket(); s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1); s.bind(('127.0.0.1', {port})); s.listen()
while True:
    c = s.accept()[0]; q = c.recv(4096); open('new', 'wb').write(q); os.rename('new', 'request'); c.sendall({answer}); c.close()"
    )
}

#[test]
fn http() {
    let place = place("http");
    let (ok, gone) =
        ("b'HTTP/1.1 200 OK\\r\\n\\r\\n{\"up\": true}'", "b'HTTP/1.1 404 Not Found\\r\\n\\r\\n'");
    let health = "/health?full=1";
    for (options, answer, passes) in [
        (&[][..], ok, ""),
        (&["--http-body", "\"up\": *true"], ok, ""),
        (&["--http-body", "down"], ok, "the body does not match down"),
        (&[], gone, "status 404"),
        (&["--http-status", "404"], gone, ""),
        (&["--http-status", "400-404"], gone, ""),
        (&[], "b'220 smtp\\r\\n'", "not an HTTP response"),
        (&[], "b''", "not an HTTP response"),
    ] {
        let port = free_port();
        let probe = format!("http://127.0.0.1:{port}{health}");
        let running = place.python(&[&["--ready", &probe], options].concat(), &server(port, answer));
        if passes.is_empty() {
            place.manager.wait_for("READY=1");
        } else {
            while !place.manager.wait_for("STATUS=").ends_with(&format!(": {passes}")) {}
        }
        let request = place.read("request");
        assert!(request.starts_with("GET /health?full=1 HTTP/1.0\r\nHost: 127.0.0.1:"), "{request}");
        drop(running);
        place.manager.told_within(Duration::from_millis(20));
    }
}

#[test]
fn http_that_hangs_is_no_answer() {
    let place = place("http_hangs");
    let port = free_port();
    let probe = format!("http://localhost:{port}");
    let _running = place.python(
        &["--ready", &probe, "--timeout", "200ms"],
        &format!("s = socket(); s.bind(('127.0.0.1', {port})); s.listen(); sleep(60)"),
    );
    while !place.manager.wait_for("STATUS=").ends_with(": no answer within 0.2 s") {}
}

#[test]
fn file() {
    let place = place("file");
    let running = place.run(
        &["--ready", "file:up"],
        &["sh", "-c", "while [ ! -e go ]; do sleep .02; done; : >up; exec sleep 60"],
    );
    assert_eq!(place.manager.told(), "STATUS=waiting for file up, 0 s: does not exist");
    std::fs::write(place.path("go"), "").unwrap();
    place.manager.wait_for("READY=1");
    drop(running);
}

#[test]
fn exec() {
    let place = place("exec");
    let running = place.run(&["--ready", "exec:env >seen; echo noise; test -e up"], &["sleep", "60"]);
    assert_eq!(place.manager.told(), "STATUS=waiting for command env >seen; echo noise; test -e up, 0 s");
    while !place.manager.wait_for("STATUS=").ends_with(": exit status 1") {}
    std::fs::write(place.path("up"), "").unwrap();
    place.manager.wait_for("READY=1");
    assert!(!place.read("seen").contains("NOTIFY_SOCKET"), "{}", place.read("seen"));
    running.kill(rustix::process::Signal::TERM);
    assert_eq!(running.outcome(), (143, String::new(), String::new()));
}

/// A probe command that hangs fails, and all its processes are ended.
#[test]
fn exec_that_hangs_is_a_no() {
    let place = place("exec_hangs");
    let probe = "exec:sleep 61 & echo $! >sleeps; sleep 62";
    let _running = place.run(&["--ready", probe, "--timeout", "200ms", "--interval", "1h"], &["sleep", "60"]);
    while !place.manager.wait_for("STATUS=").ends_with(": no answer within 0.2 s") {}
    let pid: i32 = place.read("sleeps").trim().parse().unwrap();
    super::wait_until("it is gone", || base::processes::process(pid).is_none_or(|p| p.zombie));
}

/// With several probes, each must have passed.
#[test]
fn several() {
    let place = place("several");
    let _running = place.run(
        &["--ready", "log:^up", "--ready", "file:a", "--ready", "file:b"],
        &["sh", "-c", "echo up; exec sleep 60"],
    );
    while !place.manager.wait_for("STATUS=").contains("for file a") {}
    std::fs::write(place.path("b"), "").unwrap();
    assert!(place.manager.told().contains("for file a"));
    std::fs::write(place.path("a"), "").unwrap();
    place.manager.wait_for("READY=1");
}
