//! Expected units of a parent and its children, in both scopes.

use super::expect::{Entry, description, read, rest, same_everywhere};
use super::fields::Values;
use super::systemd::{command, unit};

/// Checks the three units, found by name.
pub(super) fn check<'t>(values: &Values, scope: &str, at: impl Fn(String) -> &'t str) {
    bus(values, scope, at(values.unit(values.get("bus"))));
    client(values, scope, at(values.unit("client")));
    all(values, scope, at(values.unit("all")));
}

/// Checks what both children have in common.
fn child(
    values: &Values,
    scope: &str,
    name: &str,
    description: &str,
    mut found: Vec<Entry>,
    own: &[(&str, &str)],
) {
    found.retain(|(_, name, _)| !name.starts_with("StateDirectory"));
    let identifier = values.unit(name);
    let (parent, manual) = (values.unit("all"), format!("man:{}(7)", values.get("package")));
    let mut expected = vec![
        ("Unit", "Description", description),
        ("Unit", "Documentation", &manual),
        ("Unit", "PartOf", &parent),
        ("Unit", "StartLimitIntervalSec", "0"),
        ("Service", "Type", "notify"),
        ("Service", "NotifyAccess", "all"),
        ("Service", "SyslogIdentifier", identifier.trim_end_matches(".service")),
        ("Service", "Restart", "no"),
    ];
    if scope == "system" {
        expected.push(("Service", "User", values.get("account")));
    }
    expected.extend(
        own.iter().map(|(name, value)| (if *name == "After" { "Unit" } else { "Service" }, *name, *value)),
    );
    rest(found, expected.into_iter());
}

fn watcher(values: &Values) -> String {
    format!("/usr/libexec/{}/notify-helper", values.get("product"))
}

fn bus(values: &Values, scope: &str, text: &str) {
    let mut found = unit(text);
    let [probe, status, body, health, argument] =
        ["probe", "status", "body", "health", "bus-argument"].map(|name| values.get(name));
    let watcher = watcher(values);
    let argv = [
        &watcher,
        "run",
        "--ready",
        probe,
        "--http-status",
        status,
        "--http-body",
        body,
        "--watchdog",
        health,
    ];
    let argv: Vec<&str> = argv.into_iter().chain(["--", "/usr/bin/bus", argument]).collect();
    read(&mut found, "ExecStart", |value| assert_eq!(command(value), argv));
    let own = [("WatchdogSec", values.get("every")), ("WatchdogSignal", "SIGKILL")];
    child(values, scope, values.get("bus"), "Bus", found, &own);
}

fn client(values: &Values, scope: &str, text: &str) {
    let mut found = unit(text);
    let watcher = watcher(values);
    let argv = [&watcher, "run", "--ready", values.get("client-probe"), "--", "/usr/bin/client"];
    read(&mut found, "ExecStart", |value| assert_eq!(command(value), argv));
    let bus = values.unit(values.get("bus"));
    let how = if scope == "system" { ("+", "") } else { ("", " --user") };
    let asks = format!("{}/usr/libexec/{}/are-up{} --wait {bus}", how.0, values.get("product"), how.1);
    child(values, scope, "client", "Client", found, &[("After", &bus), ("ExecStartPre", &asks)]);
}

fn all(values: &Values, scope: &str, text: &str) {
    let children = format!("{} {}", values.unit(values.get("bus")), values.unit("client"));
    let user = if scope == "user" { " --user" } else { "" };
    let asks = format!("/usr/libexec/{}/are-up{user} {children}", values.get("product"));
    let manual = format!("man:{}(7)", values.get("package"));
    let expected = [
        ("Unit", "Description", "All"),
        ("Unit", "Documentation", &manual),
        ("Unit", "Wants", &children),
        ("Unit", "After", &children),
        ("Unit", "StartLimitIntervalSec", "0"),
        ("Service", "Type", "oneshot"),
        ("Service", "RemainAfterExit", "yes"),
        ("Service", "ExecStart", &asks),
        ("Service", "Restart", "no"),
    ];
    rest(unit(text), expected.into_iter());
}

/// Checks the files that belong to units: an instance's file, a configuration file, a slice.
pub(super) fn around<'t>(values: &Values, at: impl Fn(String) -> &'t str) {
    let product = values.get("product");
    let instance = at(format!("root/etc/{product}/many/{}.env", values.get("instance")));
    same_everywhere(instance, &[("MANY".to_owned(), values.get("instance-value").to_owned())]);
    assert_eq!(at(format!("root/etc/{product}/notes")), values.get("text"));
    let mut slice = unit(at(format!("root/usr/lib/systemd/system/{product}-part.slice")));
    description(values, "slice-description", &mut slice);
    rest(
        slice,
        [
            ("Unit", "DefaultDependencies", "no"),
            ("Unit", "Documentation", format!("man:{}(7)", values.get("package")).as_str()),
        ]
        .into_iter(),
    );
}
