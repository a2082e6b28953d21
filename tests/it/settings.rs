//! `cargo xtask render --only --set`: units for one site. Nothing is installed.

use std::collections::BTreeMap;
use std::fs;

use catalog::finding::Findings;
use catalog::model::Product;
use catalog::setting::Setting;
use package::part;
use package::render::render;
use support::command::{ok, run, xtask};
use support::scratch::scratch;

use crate::catalog::{PROGRAMS, difference};

/// A host and runners like those of systems that generate their own units.
const RIVER: &str = r#"
[product]
name = "river"
package = "river-services"
summary = "host and runners of a river"
description = "One service gives work to others."
maintainer = "River authors <river@example.org>"
license = "MIT"
copyright = "2026 The River authors"
homepage = "https://example.org/river"
programs = ["notify-helper"]

[[release]]
version = "1.0.0"
date = "2026-11-20"
changes = ["First release."]

[account.river]
description = "River"
home = "/var/lib/river"

[role.host.environment]
RIVER_PYTHON = { value = "/opt/river/bin/python3", why = "The interpreter." }
RIVER_HOST_CONFIG = "/etc/river/host.toml"
[role.host]
description = "Gives work."

[role.runner]
description = "Does it."
[role.runner.environment]
RIVER_PYTHON = "/opt/river/bin/python3"
RIVER_RUNNER_CONFIG = "/etc/river/runner.toml"

[default.part]
user = "river"
boot = true
restart = "on-failure"
restart-sec = "5s"
after = ["network.target"]
on-failure = "alert"

[service.host]
use = "part"
description = "Host"
role = "host"
exec = ["${RIVER_PYTHON}", "-m", "river.host", "--config", "${RIVER_HOST_CONFIG}"]
ready = "tcp:127.0.0.1:8000"

[service.runner]
use = "part"
description = "Runner"
role = "runner"
exec = ["${RIVER_PYTHON}", "-m", "river.runner", "--config", "${RIVER_RUNNER_CONFIG}"]
ready = "tcp:127.0.0.1:8001"

[group.river-ops]
description = "operators"

[[permit]]
why = "Operators restart the host."
group = "river-ops"
services = ["host"]
verbs = ["restart"]
"#;

/// Renders these services with these settings; returns paths and texts.
fn rendered(only: &[&str], settings: &[&str]) -> BTreeMap<String, String> {
    let product = product(settings).unwrap_or_else(|faults| panic!("{faults}"));
    let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
    let tree = render(&product, &[]);
    let tree = if only.is_empty() { tree } else { part::select(&product, tree, &only).unwrap() };
    tree.0.into_iter().map(|(path, file)| (path, String::from_utf8(file.bytes).unwrap())).collect()
}

fn product(settings: &[&str]) -> Result<Product, Findings> {
    let settings: Vec<Setting> = settings.iter().map(|s| s.parse().unwrap()).collect();
    catalog::read("river.toml", RIVER, &PROGRAMS.map(str::to_owned), &settings, &catalog::Given::new())
}

const HOST: &str = "root/usr/lib/systemd/system/river-host.service";
const RUNNER: &str = "root/usr/lib/systemd/system/river-runner.service";

#[test]
fn a_part_has_what_its_services_need_and_no_rules() {
    let host = rendered(&["host"], &[]);
    let names: Vec<&str> = host.keys().map(String::as_str).collect();
    let expected = [
        "root/etc/river/.env.host",
        "root/etc/river/alert.conf",
        "root/usr/lib/systemd/system/river-alert-mail@.service",
        "root/usr/lib/systemd/system/river-alert@.service",
        HOST,
        "root/usr/lib/sysusers.d/river.conf",
        "root/usr/lib/tmpfiles.d/river.conf",
    ];
    assert_eq!(names, expected);
    let both = rendered(&["runner", "host"], &[]);
    assert!(both.contains_key(HOST) && both.contains_key("root/etc/river/.env.runner"), "{both:?}");
    // Without settings, the files are those of the package.
    let whole = rendered(&[], &[]);
    assert!(whole.contains_key("root/usr/share/polkit-1/rules.d/50-river.rules"));
    assert!(host.iter().all(|(path, text)| whole[path] == *text));

    // On the command line: the files are written, and only their paths are printed.
    let dir = scratch("part");
    let (catalog, out) = (dir.join("river.toml"), dir.join("out"));
    fs::write(&catalog, RIVER).unwrap();
    let (catalog, out) = (catalog.to_str().unwrap(), out.to_str().unwrap());
    let args =
        ["render", "--catalog", catalog, "--out", out, "--only", "host", "--set", "host.config=/srv/x.toml"];
    let printed = ok(&mut xtask(&args));
    assert_eq!(printed, expected.map(|path| format!("{out}/river/{path}\n")).concat());
    let file = fs::read_to_string(format!("{out}/river/{}", expected[0])).unwrap();
    assert_eq!(file, rendered(&["host"], &["host.config=/srv/x.toml"])[expected[0]]);
}

/// The options of `init service` in other systems, and their equivalents.
#[test]
fn every_option_of_other_generators_has_its_setting() {
    let plain = rendered(&[], &[]);
    // --config for both, --host-config, --runner-config, --python-path, --working-dir, and PATH as captured
    // by --capture-env.
    for (settings, expected) in [
        (
            &["config=/srv/river.toml"][..],
            &[
                (
                    "root/etc/river/.env.host",
                    "-RIVER_HOST_CONFIG=/etc/river/host.toml +RIVER_HOST_CONFIG=/srv/river.toml",
                ),
                (
                    "root/etc/river/.env.runner",
                    "-RIVER_RUNNER_CONFIG=/etc/river/runner.toml +RIVER_RUNNER_CONFIG=/srv/river.toml",
                ),
            ][..],
        ),
        // The setting for one service wins, in any order.
        (
            &["host.config=/srv/host.toml", "config=/etc/river/runner.toml"],
            &[(
                "root/etc/river/.env.host",
                "-RIVER_HOST_CONFIG=/etc/river/host.toml +RIVER_HOST_CONFIG=/srv/host.toml",
            )],
        ),
        (
            &["runner.RIVER_RUNNER_CONFIG=/srv/a b.toml"],
            &[(
                "root/etc/river/.env.runner",
                "-RIVER_RUNNER_CONFIG=/etc/river/runner.toml +RIVER_RUNNER_CONFIG='/srv/a b.toml'",
            )],
        ),
        (
            &["python=/usr/bin/python3.13"],
            &[
                (
                    "root/etc/river/.env.host",
                    "-RIVER_PYTHON=/opt/river/bin/python3 +RIVER_PYTHON=/usr/bin/python3.13",
                ),
                (
                    "root/etc/river/.env.runner",
                    "-RIVER_PYTHON=/opt/river/bin/python3 +RIVER_PYTHON=/usr/bin/python3.13",
                ),
            ],
        ),
        (
            &["host.working-directory=/srv/river", "host.environment.PATH=/opt/river/bin:/usr/bin:/bin"],
            &[(HOST, "+Environment=PATH=/opt/river/bin:/usr/bin:/bin +WorkingDirectory=/srv/river")],
        ),
        (
            &["runner.restart=always", "runner.timeout-stop=120", "runner.environment.PYTHONUNBUFFERED=1"],
            &[(
                RUNNER,
                "-Restart=on-failure +Environment=PYTHONUNBUFFERED=1 +Restart=always +TimeoutStopSec=120",
            )],
        ),
        (
            &["runner.limits.cpu-quota=800%", "runner.limits.memory-max=16G", "runner.limits.nofile=65536"],
            &[(RUNNER, "+CPUQuota=800% +MemoryMax=16G +LimitNOFILE=65536")],
        ),
        (
            &["runner.requires=docker.service", "runner.after=[\"network.target\", \"docker.service\"]"],
            &[(
                RUNNER,
                "-After=network.target +After=network.target docker.service +Requires=docker.service",
            )],
        ),
        (&["host.boot=false"], &[(HOST, "- -[Install] -WantedBy=multi-user.target")]),
    ] {
        let set = rendered(&["host", "runner"], settings);
        let changed: Vec<(&str, String)> = set
            .iter()
            .filter(|(path, text)| plain[*path] != **text)
            .map(|(path, text)| (path.as_str(), changes(&plain[path], text)))
            .collect();
        let expected: Vec<(&str, String)> = expected.iter().map(|(p, c)| (*p, (*c).to_owned())).collect();
        assert_eq!(changed, expected, "{settings:?}");
    }
}

/// The catalogs of those systems in docs/commands.md: each setting, and the lines it changes.
#[test]
fn the_systems_that_generate_units_have_their_options_here() {
    for name in ["hakuriver", "kohakuriver"] {
        let file = format!("catalog/{name}.toml");
        let text = fs::read_to_string(support::command::root().join(&file)).unwrap();
        let upper = name.to_uppercase();
        for (setting, services, line) in [
            ("config=/srv/c", &["host", "runner"][..], format!("{upper}_CONFIG=/srv/c")),
            ("host.config=/srv/c", &["host"], format!("{upper}_CONFIG=/srv/c")),
            ("runner.config=/srv/c", &["runner"], format!("{upper}_CONFIG=/srv/c")),
            ("host.working-directory=/srv/w", &["host"], "WorkingDirectory=/srv/w".to_owned()),
            ("runner.working-directory=/srv/w", &["runner"], "WorkingDirectory=/srv/w".to_owned()),
            ("host.environment.PATH=/srv/bin:/bin", &["host"], "Environment=PATH=/srv/bin:/bin".to_owned()),
            (
                "runner.environment.PATH=/srv/bin:/bin",
                &["runner"],
                "Environment=PATH=/srv/bin:/bin".to_owned(),
            ),
            ("venv=/srv/venv", &["host", "runner"], format!("{upper}_VENV=/srv/venv")),
        ] {
            let settings = [setting.parse().unwrap()];
            let product =
                catalog::read(&file, &text, &PROGRAMS.map(str::to_owned), &settings, &catalog::Given::new())
                    .unwrap_or_else(|faults| panic!("{faults}"));
            for service in ["host", "runner"] {
                let part = part::select(&product, render(&product, &[]), &[service.to_owned()]).unwrap();
                let texts = part.0.values().map(|file| String::from_utf8_lossy(&file.bytes).into_owned());
                let has = texts
                    .flat_map(|t| t.lines().map(str::to_owned).collect::<Vec<_>>())
                    .any(|l| l.ends_with(&line));
                assert_eq!(has, services.contains(&service), "{name}: {setting}: {service}");
            }
        }
    }
}

/// Returns removed and added lines in order.
fn changes(old: &str, new: &str) -> String {
    let lines = difference(old, new);
    let changed: Vec<&str> = lines.lines().filter(|line| !line.starts_with(' ')).collect();
    changed.join(" ")
}

#[test]
fn what_cannot_be_set_is_refused_with_what_can() {
    for (settings, said) in [
        (
            &["hots.config=/x"][..],
            "hots.config: unknown service or role \"hots\": expected \"host\" or \"runner\"",
        ),
        (
            &["port=1"],
            "port: unknown variable \"port\": expected \"RIVER_HOST_CONFIG\", \"RIVER_PYTHON\" or \"RIVER_RUNNER_CONFIG\"",
        ),
        (
            &["host.restart=sometimes"],
            "service.host.restart: unknown value \"sometimes\": expected \"no\", \"on-failure\" or \"always\"",
        ),
        (
            &["host.working-directory=river"],
            "service.host.working-directory: \"river\" is not an absolute path: start it with `/`",
        ),
        (
            &["host.limits.memory-max=lots"],
            "service.host.limits.memory-max: invalid amount of memory \"lots\": expected one like 512M or 4G",
        ),
        (&["host.limits.nofile=many"], "service.host.limits.nofile: expected an integer, found a string"),
        (
            &["host.config=/x\nUser=root"],
            "role.host.environment.RIVER_HOST_CONFIG: contains a newline, which would start another line of the file: write one line",
        ),
        (
            &["host.user=nobody"],
            "service.host.user: unknown account \"nobody\": expected \"river\" or \"root\"",
        ),
        (
            &["host.config=/x", "host.config=/y"],
            "role.host.environment.RIVER_HOST_CONFIG: is set twice: keep one",
        ),
    ] {
        let faults = product(settings).unwrap_err().to_string();
        let files = faults.replace(
            "role.host.environment.RIVER_HOST_CONFIG.value",
            "role.host.environment.RIVER_HOST_CONFIG",
        );
        assert_eq!(files, format!("error: --set {said}"), "{settings:?}");
    }
    let faults = product(&["host.bogus=1"]).unwrap_err().to_string();
    let said = "error: --set host.bogus: unknown variable or field \"bogus\": expected \"RIVER_HOST_CONFIG\", \"RIVER_PYTHON\", \"after\", ";
    assert!(faults.starts_with(said), "{faults}");
    for (text, said) in [
        ("host", "expected KEY=VALUE"),
        ("=x", "invalid key"),
        ("../x=y", "invalid key"),
        ("a b=c", "invalid key"),
    ] {
        assert!(text.parse::<Setting>().unwrap_err().contains(said), "{text}");
    }
    let river = product(&[]).unwrap();
    let refused = part::select(&river, render(&river, &[]), &["hots".to_owned()]).unwrap_err();
    assert_eq!(refused, "unknown service \"hots\": expected \"host\" or \"runner\"");

    // On the command line: the documented statuses, one line, and no files.
    let dir = scratch("refused");
    let (catalog, out) = (dir.join("river.toml"), dir.join("out"));
    fs::write(&catalog, RIVER).unwrap();
    let (catalog, out) = (catalog.to_str().unwrap(), out.to_str().unwrap());
    for (options, status, said) in [
        (&["--catalog", catalog, "--only", "hots"][..], 1, "error: --only: unknown service \"hots\": "),
        (
            &["--catalog", catalog, "--set", "host.restart=sometimes"],
            78,
            "error: --set service.host.restart: ",
        ),
        (
            &["--catalog", catalog, "--set", "host"],
            2,
            "error: invalid value 'host' for '--set <KEY=VALUE>': expected KEY=VALUE",
        ),
        (&["--set", "x=1"], 1, "error: `--only` and `--set` require a single product: name it"),
    ] {
        let output = run(&mut xtask(&[&["render", "--out", out], options].concat()));
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{error}");
        assert!(error.starts_with(said), "{error}");
        assert!(!dir.join("out").exists(), "{options:?}");
    }
}
