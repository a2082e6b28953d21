//! Expected contents of a product's files: computed from a catalog's values and compared with what programs
//! read from the files.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use base::table::Table;
use package::tree::Tree;

use super::family;
use super::fields::Values;
use super::systemd::{command, environment, literal, unit, words};

/// Compares every file of `tree` with `values`; `ordinary` is the tree of the default values.
pub(super) fn check(values: &Values, tree: &Tree, ordinary: &Tree) {
    let files: BTreeMap<&str, &str> = tree
        .0
        .iter()
        .map(|(path, file)| (path.as_str(), std::str::from_utf8(&file.bytes).unwrap()))
        .collect();
    let at =
        |path: String| *files.get(path.as_str()).unwrap_or_else(|| panic!("no {path}: {:?}", files.keys()));
    let product = values.get("product");
    names(values);
    assert_eq!(tree.0.len(), ordinary.0.len(), "another file: {:?}", files.keys());
    web(values, at(format!("root/usr/lib/systemd/system/{}", values.unit(values.get("web")))));
    drive(values, at(format!("root/usr/lib/systemd/system/{}", values.unit(values.get("drive")))));
    tray(values, at(format!("root/usr/lib/systemd/user/{}", values.unit("tray"))));
    for scope in ["system", "user"] {
        family::check(values, scope, |unit| at(format!("root/usr/lib/systemd/{scope}/{unit}")));
    }
    let manager = unit(at(format!("root/usr/lib/systemd/system.conf.d/50-{product}.conf")));
    let hardware = ("Manager", "RuntimeWatchdogSec", values.get("hardware"));
    rest(manager, [hardware, ("Manager", "RebootWatchdogSec", "10min")].into_iter());
    let journal = unit(at("root/usr/lib/systemd/journald.conf.d/50-card.conf".to_owned()));
    rest(journal, [("Journal", "SystemMaxUse", values.get("drop-in-value"))].into_iter());
    alert(values, &at, ordinary);
    sysusers(values, at(format!("root/usr/lib/sysusers.d/{product}.conf")));
    tmpfiles(values, at(format!("root/usr/lib/tmpfiles.d/{product}.conf")));
    variables(values, at(format!("root/etc/{product}/.env.{}", values.get("role"))));
    family::around(values, at);
    polkit(values, at(format!("root/usr/share/polkit-1/rules.d/50-{product}.rules")));
    table(values, at(format!("root/usr/share/{product}/services.json")));
    useradd(values, at("rpm/pre".to_owned()));
    let manual = format!("root/usr/share/man/man7/{}.7", values.get("package"));
    assert_eq!(macros(at(manual)), macros(page(ordinary)), "another macro of troff");
    assert_eq!(starts(at("deb/changelog".to_owned())), 2, "another line of the changelog");
    copyright(values, at("deb/copyright".to_owned()));
}

/// Names appear unchanged in scripts, paths and JavaScript.
fn names(values: &Values) {
    let names = [
        "product",
        "package",
        "account",
        "account-group",
        "group",
        "role",
        "lock",
        "kind",
        "web",
        "drive",
        "bus",
        "instance",
    ];
    for name in
        names.map(|name| values.get(name)).into_iter().chain([values.get("variable"), values.get("version")])
    {
        assert!(
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.+".contains(c)),
            "{name:?}"
        );
        assert!(!name.starts_with(['.', '-']), "{name:?}");
    }
}

pub(super) type Entry = (String, String, String);

fn web(values: &Values, text: &str) {
    let mut found = unit(text);
    let argv = [values.get("program"), values.get("argument"), values.get("argument-last")];
    read(&mut found, "ExecStart", |value| assert_eq!(command(value), argv));
    let documentation = [format!("man:{}(7)", values.get("package")), values.get("documentation").to_owned()];
    for page in documentation {
        read(&mut found, "Documentation", |value| assert_eq!(words(&literal(value), true), [page.as_str()]));
    }
    own_state(values, &mut found);
    read(&mut found, "ReadWritePaths", |value| assert_eq!(words(value, false), [values.get("write-path")]));
    let device = [values.get("device"), "rw"];
    read(&mut found, "DeviceAllow", |value| assert_eq!(words(value, false), device));
    own_environment(values, &mut found);
    description(values, "web-description", &mut found);
    let unit = |name: &str| match values.get(name) {
        other if other.contains('.') => other.to_owned(),
        own => values.unit(own),
    };
    let (after, wants) = (unit("after"), unit("wants"));
    let expected = [
        // Other units may start it.
        ("Unit", "After", &*format!("{after} sysinit.target basic.target")),
        ("Unit", "DefaultDependencies", "no"),
        ("Unit", "Wants", "sysinit.target"),
        ("Unit", "Wants", wants.as_str()),
        ("Unit", "StartLimitBurst", "3"),
        ("Unit", "StartLimitIntervalSec", values.get("interval")),
        ("Unit", "ConditionPathExists", values.get("unit-directive")),
        ("Service", "Type", "exec"),
        ("Service", "User", values.get("account")),
        (
            "Service",
            "EnvironmentFile",
            &format!("/etc/{}/.env.{}", values.get("product"), values.get("role")),
        ),
        ("Service", "WorkingDirectory", values.get("directory")),
        ("Service", "Restart", "no"),
        ("Service", "RestartSec", values.get("restart-sec")),
        ("Service", "KillSignal", values.get("signal")),
        ("Service", "KillMode", "control-group"),
        ("Service", "TimeoutStartSec", values.get("timeout-start")),
        ("Service", "TimeoutStopSec", values.get("timeout-stop")),
        ("Service", "CPUQuota", values.get("cpu")),
        ("Service", "MemoryMax", values.get("memory")),
        ("Service", "UtmpIdentifier", values.get("service-directive")),
        ("Service", "SyslogIdentifier", values.get("identifier")),
        ("Service", "EnvironmentFile", values.get("environment-file")),
        ("Service", "Slice", &format!("{}-part.slice", values.get("product"))),
        // For the service that only runs while this one does.
        ("Service", "ExecStop", &format!("-+/usr/bin/systemctl stop {}", values.unit(values.get("drive")))),
        ("Unit", "OnFailure", &format!("{}-alert@%n.service", values.get("product"))),
        ("Unit", "IgnoreOnIsolate", "yes"),
    ];
    rest(found, expected.into_iter());
}

/// State directories of services that other units may start, which have no `StateDirectory=`.
fn own_state(values: &Values, found: &mut Vec<Entry>) {
    let home = values.get("home");
    if home.starts_with("/var/lib/") {
        read(found, "ReadWritePaths", |value| assert_eq!(words(value, false), [home]));
    }
}

/// Its units have fixed directives, and its configuration sets nothing.
fn alert<'a>(values: &Values, at: &impl Fn(String) -> &'a str, ordinary: &Tree) {
    let product = values.get("product");
    for name in ["alert@.service", "alert-mail@.service"] {
        let path = |product: &str| format!("root/usr/lib/systemd/system/{product}-{name}");
        let directives = |text: &str| unit(text).into_iter().map(|(s, n, _)| (s, n)).collect::<Vec<_>>();
        let found = at(path(product));
        assert_eq!(directives(found), directives(text(ordinary, &path("demo"))), "{name}");
        read(&mut unit(found), "User", |user| assert_eq!(user, format!("{product}-alert")));
    }
    let settings = at(format!("root/etc/{product}/alert.conf"));
    let set = settings
        .split(['\n', '\r', '\0', '\u{85}', '\u{2028}', '\u{2029}'])
        .find(|l| !l.is_empty() && !l.starts_with('#'));
    assert_eq!(set, None, "a line that sets something");
}

fn drive(values: &Values, text: &str) {
    let mut found = unit(text);
    let argv = [format!("/usr/libexec/{}/run_stack", values.get("product")), values.get("drive").to_owned()];
    read(&mut found, "ExecStart", |value| assert_eq!(command(value), argv));
    let web = values.unit(values.get("web"));
    let expected = [
        ("Unit", "Description", "Drive"),
        ("Unit", "Documentation", &format!("man:{}(7)", values.get("package"))),
        ("Unit", "DefaultDependencies", "no"),
        ("Unit", "IgnoreOnIsolate", "yes"),
        ("Unit", "Wants", "sysinit.target"),
        ("Unit", "StartLimitIntervalSec", "0"),
        ("Unit", "After", &format!("{web} sysinit.target basic.target")),
        ("Service", "Type", "notify"),
        ("Service", "User", values.get("account")),
        (
            "Service",
            "EnvironmentFile",
            &format!("/etc/{}/.env.{}", values.get("product"), values.get("role")),
        ),
        ("Service", "Restart", "no"),
        ("Service", "ExecStopPost", &format!("-{} --clear {}", argv[0], argv[1])),
    ];
    own_state(values, &mut found);
    rest(found, expected.into_iter());
}

fn tray(values: &Values, text: &str) {
    let mut found = unit(text);
    let argv = ["/usr/bin/tray", values.get("tray-argument")];
    read(&mut found, "ExecStart", |value| assert_eq!(command(value), argv));
    own_environment(values, &mut found);
    description(values, "tray-description", &mut found);
    let expected = [
        ("Unit", "Documentation", format!("man:{}(7)", values.get("package"))),
        ("Unit", "StartLimitIntervalSec", "0".to_owned()),
        ("Service", "Type", "exec".to_owned()),
        ("Service", "Restart", "no".to_owned()),
        // Directives that a user manager supports.
        ("Service", "NoNewPrivileges", "yes".to_owned()),
        ("Service", "LockPersonality", "yes".to_owned()),
        ("Service", "RestrictNamespaces", "yes".to_owned()),
        ("Service", "RestrictRealtime", "yes".to_owned()),
        ("Service", "RestrictSUIDSGID", "yes".to_owned()),
        ("Service", "SystemCallArchitectures", "native".to_owned()),
        ("Service", "SystemCallFilter", "@system-service".to_owned()),
        ("Service", "SystemCallErrorNumber", "EPERM".to_owned()),
    ];
    rest(found, expected.iter().map(|(section, name, value)| (*section, *name, value.as_str())));
}

fn own_environment(values: &Values, found: &mut Vec<Entry>) {
    let variable = format!("{}={}", values.get("environment"), values.get("environment-value"));
    read(found, "Environment", |value| assert_eq!([literal(&words(value, true).join("\n"))], [variable]));
}

pub(super) fn description(values: &Values, field: &str, found: &mut Vec<Entry>) {
    read(found, "Description", |value| assert_eq!(literal(value), values.get(field)));
}

/// Removes the first assignment with this name and checks its value.
pub(super) fn read(found: &mut Vec<Entry>, name: &str, look: impl FnOnce(&str)) {
    let at = found.iter().position(|(_, n, _)| n == name).unwrap_or_else(|| panic!("no {name}: {found:?}"));
    look(&found.remove(at).2);
}

/// Compares all other assignments: none is missing, and none was added.
pub(super) fn rest<'a>(mut found: Vec<Entry>, expected: impl Iterator<Item = (&'a str, &'a str, &'a str)>) {
    let mut expected: Vec<Entry> =
        expected.map(|(s, n, v)| (s.to_owned(), n.to_owned(), v.to_owned())).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

/// Words of the lines of sysusers.d and tmpfiles.d, without comments.
fn lines(text: &str) -> Vec<Vec<String>> {
    let lines = text
        .split(['\n', '\r', '\0'])
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| words(line, false)).collect()
}

fn sysusers(values: &Values, text: &str) {
    let [account, home, shell] = ["account", "home", "shell"].map(|name| values.get(name));
    let alert = format!("{}-alert", values.get("product"));
    let alerts = format!("Alerts of {}", values.get("product"));
    let expected = [
        vec!["g", values.get("group"), "-"],
        vec!["u", account, "-", values.get("account-description"), home, shell],
        vec!["g", values.get("account-group"), "-"],
        vec!["m", account, values.get("account-group")],
        vec!["u", &alert, "-", &alerts, "-", "-"],
    ];
    assert_eq!(lines(text), expected);
    assert!(!values.get("account-description").contains([':', '%']), "another field of /etc/passwd");
}

fn tmpfiles(values: &Values, text: &str) {
    let [product, account, home, group] =
        ["product", "account", "home", "group"].map(|name| values.get(name));
    let (instances, keys) = (format!("/etc/{product}/many"), format!("{home}/.ssh"));
    let (directory, lock) =
        (format!("/run/{product}"), format!("/run/{product}/{}.lock", values.get("lock")));
    let expected = [
        vec!["d", directory.as_str(), "0755", "root", "root", "-"],
        vec!["f", lock.as_str(), "0660", account, group, "-"],
        vec!["d", home, "0750", account, account, "-"],
        vec!["d", keys.as_str(), "0700", account, account, "-"],
        vec!["d", instances.as_str(), "0755", "root", "root", "-"],
    ];
    assert_eq!(lines(text), expected);
}

fn variables(values: &Values, text: &str) {
    let selector = format!("{}_ENV", values.get("product").to_uppercase().replace('-', "_"));
    let own =
        [(selector.as_str(), values.get("role")), (values.get("variable"), values.get("variable-value"))];
    let expected = own.into_iter().chain([("LAST", "last")]).map(|(n, v)| (n.to_owned(), v.to_owned()));
    let expected: Vec<(String, String)> = expected.collect();
    same_everywhere(text, &expected);
}

/// Checks that all readers of an environment file get the same values.
pub(super) fn same_everywhere(text: &str, expected: &[(String, String)]) {
    assert_eq!(environment(text, true), expected, "as systemd 252 reads it");
    assert_eq!(environment(text, false), expected, "as systemd 257 reads it");
    for shell in ["dash", "bash"] {
        assert_eq!(sourced(shell, text), expected.iter().cloned().collect(), "as {shell} reads it");
    }
}

/// Returns the environment of a shell that sources `text` with an empty environment.
fn sourced(shell: &str, text: &str) -> BTreeMap<String, String> {
    let script = format!("exec 2>/dev/null; set -a; . /dev/stdin; exec {} -0", which("env"));
    let found = run(Command::new(which(shell)).arg("-c").arg(script).env_clear(), text);
    let entries = found.split('\0').filter_map(|entry| entry.split_once('='));
    // The shell sets these itself.
    let entries = entries.filter(|(name, _)| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    entries.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Checks the arguments that the rpm scriptlet passes to useradd.
fn useradd(values: &Values, text: &str) {
    let script =
        "getent() { return 1; }; groupadd() { :; }; useradd() { printf '%s\\0' \"$@\"; }; . /dev/stdin";
    let found = run(Command::new(which("dash")).arg("-c").arg(script).env_clear(), text);
    let [account, home, shell, who] =
        ["account", "home", "shell", "account-description"].map(|name| values.get(name));
    let alert = format!("{}-alert", values.get("product"));
    let alerts = format!("Alerts of {}", values.get("product"));
    let own = ["-r", "-g", &alert, "-d", "/", "-s", "/sbin/nologin", "-c", &alerts, &alert];
    let expected = [["-r", "-g", account, "-d", home, "-s", shell, "-c", who, account], own].concat();
    assert_eq!(found.split_terminator('\0').collect::<Vec<_>>(), expected);
}

fn which(program: &str) -> String {
    let found = ["/usr/bin", "/bin"].map(|directory| format!("{directory}/{program}"));
    found
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())
        .unwrap_or_else(|| panic!("install {program}"))
}

fn run(command: &mut Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// Checks the rule without its comments, which end where JavaScript ends a line.
fn polkit(values: &Values, text: &str) {
    let lines =
        text.split(['\n', '\r', '\u{2028}', '\u{2029}']).map(str::trim).filter(|l| !l.starts_with("//"));
    let code: Vec<&str> = lines.filter(|l| !l.is_empty()).collect();
    assert_eq!(code.len(), 45, "other code: {code:#?}");
    let units = [values.unit(values.get("web")), values.unit(values.get("drive"))];
    assert_eq!(code[4], format!("var units = {};", serde_json::to_string(&units).unwrap()));
    assert_eq!(code[5], r#"var verbs = ["start","stop"];"#);
    let group = serde_json::to_string(values.get("group")).unwrap();
    assert_eq!(code[8], format!("if (units.indexOf(unit) < 0 || !subject.isInGroup({group})) {{"));
    let accounts = [values.get("account").to_owned(), format!("{}-alert", values.get("product"))];
    assert_eq!(code[27], format!("var accounts = {};", serde_json::to_string(&accounts).unwrap()));
}

fn table(values: &Values, text: &str) {
    let table: Table = serde_json::from_str(text).unwrap();
    let service = |name: &str| table.service(name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(table.operators.as_deref(), Some(values.get("group")));
    assert_eq!(table.services.len(), 7);
    let web = service(values.get("web"));
    assert_eq!(web.description, values.get("web-description"));
    assert_eq!(web.processes, [values.get("process")]);
    assert_eq!(web.frame.as_deref(), Some(values.get("frame")));
    let drive = service(values.get("drive"));
    let launch = drive.launch.as_ref().unwrap();
    let named = |name: &str| values.get(name).replace("{name}", &drive.name);
    assert_eq!(launch.argv, [named("launch"), named("launch-argument")]);
    assert_eq!(
        (launch.setup[0].path.as_str(), launch.setup[0].hint.as_str()),
        (values.get("setup"), values.get("hint"))
    );
    assert_eq!(launch.directory.as_deref(), Some(values.get("directory")));
    let session = launch.session.as_ref().unwrap();
    assert_eq!(
        (session.path.to_str(), &session.content),
        (Some(values.get("session")), &named("session-content"))
    );
    let expected =
        BTreeMap::from([(values.get("environment").to_owned(), values.get("expected").to_owned())]);
    assert_eq!(drive.expects[0].environment, expected);
    assert_eq!(service("tray").description, values.get("tray-description"));
}

/// The first two paragraphs, before the license texts.
fn copyright(values: &Values, text: &str) {
    let fields: Vec<&str> = text.lines().filter(|line| !line.is_empty()).take(6).collect();
    let expected = [
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/".to_owned(),
        format!("Upstream-Name: {}", values.get("package")),
        format!("Source: {}", values.get("homepage")),
        "Files: *".to_owned(),
        format!("Copyright: {}", values.get("copyright")),
        format!("License: {}", values.get("license").replace(" OR ", " or ").replace(" AND ", " and ")),
    ];
    assert_eq!(fields, expected);
}

/// Returns the requests of a manual page, which start a line with a dot or an apostrophe.
fn macros(page: &str) -> Vec<&str> {
    let requests = page.lines().filter(|line| line.starts_with(['.', '\'']));
    requests.map(|line| line.split(' ').next().unwrap_or_default()).collect()
}

/// Returns the number of non-empty lines without indentation.
fn starts(text: &str) -> usize {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with("  ")).count()
}

fn page(tree: &Tree) -> &str {
    let path = tree.0.keys().find(|path| path.contains("/man7/")).expect("there is a manual");
    text(tree, path)
}

fn text<'a>(tree: &'a Tree, path: &str) -> &'a str {
    std::str::from_utf8(&tree.0[path].bytes).unwrap()
}
