//! A catalog whose text fields can have any value: a template, the default values, and the catalog with other
//! values.

use std::collections::BTreeMap;

/// The fields and their default values.
pub(super) const FIELDS: [(&str, &str); 81] = [
    ("product", "demo"),
    ("package", "demo-services"),
    ("summary", "services of a demonstration"),
    ("about", "One paragraph."),
    ("maintainer", "Demo authors <demo@example.org>"),
    ("license", "MIT"),
    ("copyright", "2026 The Demo authors"),
    ("homepage", "https://example.org/demo"),
    ("deb", "python3 (>= 3.11)"),
    ("rpm", "python3 >= 3.11"),
    ("version", "1.0.0"),
    ("date", "2026-11-20"),
    ("change", "First release."),
    ("account", "robot"),
    ("account-description", "the robot"),
    ("home", "/var/lib/robot"),
    ("shell", "/bin/bash"),
    ("account-group", "dialout"),
    ("group", "robot-ops"),
    ("group-description", "operators"),
    ("role", "machine"),
    ("role-description", "This machine is the robot."),
    ("variable", "WORKSPACE"),
    ("variable-value", "/opt/ws"),
    ("variable-why", "The one place that says it."),
    ("lock", "stack"),
    ("lock-description", "One at a time."),
    ("kind", "daemon"),
    ("web", "web"),
    ("web-description", "Web server"),
    ("documentation", "https://example.org/page"),
    ("program", "/usr/bin/web"),
    ("argument", "--port=80"),
    ("argument-last", "x"),
    ("environment", "PORT"),
    ("environment-value", "80"),
    ("directory", "/srv"),
    ("after", "network.target"),
    ("wants", "dbus.socket"),
    ("restart-sec", "1s"),
    ("timeout-start", "1min"),
    ("timeout-stop", "20s"),
    ("interval", "5min"),
    ("signal", "SIGRTMIN+1"),
    ("cpu", "200%"),
    ("memory", "4G"),
    ("write-path", "/srv/files"),
    ("device", "char-ttyUSB"),
    ("process", "web"),
    ("frame", "map"),
    ("unit-directive", "/srv"),
    ("service-directive", "web"),
    ("drive", "drive"),
    ("launch", "ros2"),
    ("launch-argument", "x"),
    ("setup", "/opt/ros/setup.bash"),
    ("hint", "install it"),
    ("session", ".ros/current"),
    ("session-content", "drive"),
    ("expected", "1"),
    ("tray-description", "Tray icon"),
    ("tray-argument", "x"),
    ("hardware", "1min"),
    ("drop-in-why", "A card is small."),
    ("drop-in-value", "64M"),
    ("bus", "bus"),
    ("bus-argument", "x"),
    ("probe", "http://127.0.0.1:80/up"),
    ("status", "200-299"),
    ("body", "up"),
    ("every", "30s"),
    ("health", "exec:test -e /srv/up"),
    ("client-probe", "connected:80"),
    ("why", "Operators start and stop it."),
    ("identifier", "web-server"),
    ("environment-file", "-/etc/web.env"),
    ("slice-description", "All parts"),
    ("text", "a file\n"),
    ("instance", "one"),
    ("instance-why", "What it is"),
    ("instance-value", "1"),
];

/// Each field has its own line where TOML allows it, so that a fault's line identifies the field.
const CATALOG: &str = r#"
[product]
name = @product@
package = @package@
summary = @summary@
description = @about@
maintainer = @maintainer@
license = @license@
copyright = @copyright@
homepage = @homepage@
programs = ["run_stack", "notify-helper"]
commands = ["run_stack"]
depends.deb = [@deb@]
depends.rpm = [@rpm@]

[[release]]
version = @version@
date = @date@
changes = [@change@]

[machine]
hardware-watchdog = @hardware@

[drop-in."/usr/lib/systemd/journald.conf.d/50-card.conf"]
why = @drop-in-why@
[drop-in."/usr/lib/systemd/journald.conf.d/50-card.conf".settings.Journal]
SystemMaxUse = @drop-in-value@

[account.@account@]
description = @account-description@
home = @home@
shell = @shell@
groups = [@account-group@]

[group.@group@]
description = @group-description@

[lock.@lock@]
description = @lock-description@

[role.@role@]
description = @role-description@
[role.@role@.environment.@variable@]
value = @variable-value@
why = @variable-why@
[role.@role@.environment]
LAST = "last"

[slice.part]
description = @slice-description@

[config."notes"]
text = @text@

[service.many]
description = "Many"
user = @account@
hardening = "none"
exec = ["/usr/bin/many"]
[service.many.instances.variables]
MANY = @instance-why@
[service.many.instances.shipped.@instance@]
MANY = @instance-value@

[default.@kind@]
user = @account@
role = @role@

[service.@web@]
use = @kind@
description = @web-description@
documentation = [@documentation@]
exec = [
  @program@,
  @argument@,
  @argument-last@,
]
environment.@environment@ = @environment-value@
working-directory = @directory@
after = [@after@]
wants = [@wants@]
restart-sec = @restart-sec@
timeout-start = @timeout-start@
timeout-stop = @timeout-stop@
start-limit.burst = 3
start-limit.interval = @interval@
kill-signal = @signal@
on-failure = "alert"
limits.cpu-quota = @cpu@
limits.memory-max = @memory@
hardening = "none"
write-paths = [@write-path@]
devices = [@device@]
processes = [@process@]
frame = @frame@
directives.Unit.ConditionPathExists = @unit-directive@
directives.Service.UtmpIdentifier = @service-directive@
syslog-identifier = @identifier@
environment-files = [@environment-file@]
slice = "part"

[service.@drive@]
use = @kind@
description = "Drive"
launch = [
  @launch@,
  @launch-argument@,
]
working-directory = @directory@
lock = @lock@
only-while = @web@
hardening = "none"
session.path = @session@
session.content = @session-content@
expects.@web@.@environment@ = @expected@
[[service.@drive@.setup]]
path = @setup@
hint = @hint@

[service.tray]
description = @tray-description@
scope = "user"
exec = [
  "/usr/bin/tray",
  @tray-argument@,
]
environment.@environment@ = @environment-value@

[service.all]
description = "All"
scope = "both"
hardening = "none"

[service.@bus@]
description = "Bus"
scope = "both"
user = @account@
hardening = "none"
parent = "all"
exec = [
  "/usr/bin/bus",
  @bus-argument@,
]
ready = { probe = @probe@, status = @status@, body = @body@ }
watchdog = { every = @every@, probe = @health@ }

[service.client]
description = "Client"
scope = "both"
user = @account@
hardening = "none"
parent = "all"
once-ready = [@bus@]
exec = ["/usr/bin/client"]
ready = @client-probe@

[[permit]]
why = @why@
group = @group@
kinds = [@kind@]
verbs = ["start", "stop"]
"#;

/// Values of all fields.
#[derive(Debug, Clone)]
pub(super) struct Values(BTreeMap<&'static str, String>);

impl Values {
    /// Creates values in the order of [`FIELDS`].
    pub(super) fn of(texts: &[String]) -> Values {
        Values(FIELDS.iter().zip(texts).map(|((name, _), text)| (*name, text.clone())).collect())
    }

    /// Returns the value of a field.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("there is no field {name}"))
    }

    /// Returns the fields with other than default values.
    pub(super) fn others(&self) -> Vec<&str> {
        FIELDS.iter().filter(|(name, value)| self.get(name) != *value).map(|(name, _)| *name).collect()
    }

    /// Returns the catalog with these values.
    pub(super) fn catalog(&self) -> String {
        let mut catalog = CATALOG.to_owned();
        for (name, value) in &self.0 {
            catalog = catalog.replace(&format!("@{name}@"), &toml(value));
        }
        catalog
    }

    /// Resets fields on the lines of `faults` to their defaults: on each line, the first one with another
    /// value. Returns whether there was one.
    pub(super) fn give_way(&mut self, faults: &str) -> bool {
        let lines: Vec<&str> = CATALOG.lines().collect();
        let faults = faults.lines().filter_map(|fault| fault.split(':').nth(2)?.parse::<usize>().ok());
        let mut gave_way = false;
        for line in faults.map(|line| lines[line - 1]) {
            let ordinary = FIELDS.iter().filter(|(name, _)| line.contains(&format!("@{name}@")));
            let other = ordinary.filter(|(name, value)| self.get(name) != *value);
            if let Some((name, value)) = other.min_by_key(|(name, _)| line.find(&format!("@{name}@"))) {
                self.0.insert(name, (*value).to_owned());
                gave_way = true;
            }
        }
        gave_way
    }

    /// Returns the name of a service's unit.
    pub(super) fn unit(&self, service: &str) -> String {
        let product = self.get("product");
        if product == service { format!("{product}.service") } else { format!("{product}-{service}.service") }
    }
}

/// Returns a basic TOML string. At signs are escaped too, so that no value looks like a field.
fn toml(value: &str) -> String {
    let escaped = value.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        '@' => "\\u0040".to_owned(),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
