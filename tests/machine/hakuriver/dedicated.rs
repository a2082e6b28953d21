//! Host and runners as separate users; the package is installed and removed as a .deb and as an .rpm.

use testbed::{Machine, Result};

use crate::cluster::{ask, on_every_suite, package, show, shows, state};

const HOST: &str = "kohakuriver-host.service";
const RUNNERS: [&str; 2] = ["kohakuriver-runner@1.service", "kohakuriver-runner@2.service"];

/// A Python that runs the stand-in for any module.
const PYTHON: &str = "#!/bin/sh\nexec /usr/bin/python3 /opt/kohakuriver/river.py \"$@\"\n";

/// Imported by configuration files.
const ENGINE: &str = "class Config:\n    pass\n";

#[test]
fn k2_k5_k6_each_as_its_own_user_with_docker_where_that_is() -> Result<()> {
    on_every_suite(|suite| {
        let machine = Machine::on(suite)
            .file("/opt/kohakuriver/venv/bin/python3", 0o755, PYTHON)
            .file("/opt/kohakuriver/river.py", 0o644, include_str!("kohakuriver.py"))
            .file("/opt/kohakuriver/kohakuengine.py", 0o644, ENGINE)
            .file("/usr/local/bin/ask.py", 0o644, include_str!("ask.py"))
            .user("op", &[])
            .install(package("kohakuriver", "deb"))
            .boot()?;
        for user in ["kohakuriver-host", "kohakuriver-runner"] {
            let entry = machine.run(&format!("getent passwd {user}")).ok();
            assert!(entry.text().ends_with(":/:/usr/sbin/nologin"), "{}", entry.text());
        }
        places(&machine);

        // docker is missing but wanted, and its group is not created.
        for (unit, wants) in [
            (HOST, vec!["network-online.target"]),
            (RUNNERS[0], vec!["network-online.target", "docker.service"]),
        ] {
            for (property, wanted) in
                ["Wants", "After"].into_iter().flat_map(|p| wants.iter().map(move |w| (p, *w)))
            {
                assert!(
                    show(&machine, unit, property).split(' ').any(|u| u == wanted),
                    "{unit} {property}={wanted}"
                );
            }
            shows(
                &machine,
                unit,
                &[("Requires", &show(&machine, unit, "Requires").replace("docker.service", ""))],
            );
        }
        machine.run(&format!("systemctl enable --now {HOST} {}", RUNNERS.join(" "))).ok();
        machine.run("getent group docker").fails();
        for (port, answer) in [("8000", "host 8000"), ("8001", "runner 8001"), ("8011", "runner 8011")] {
            assert_eq!(ask(&machine, "GET", &format!("{port}/"), None).ok().text(), answer);
        }
        for (unit, user) in [
            (HOST, "kohakuriver-host"),
            (RUNNERS[0], "kohakuriver-runner"),
            (RUNNERS[1], "kohakuriver-runner"),
        ] {
            let pid = show(&machine, unit, "MainPID");
            assert_eq!(machine.run(&format!("stat --format=%U /proc/{pid}")).ok().text(), user);
        }
        assert!(machine.has("/var/lib/kohakuriver/host.db"));
        assert!(
            machine.has("/var/lib/kohakuriver-runner/1/runner.db")
                && machine.has("/var/lib/kohakuriver-runner/2/runner.db")
        );

        // Once the group exists, a runner joins it at its next start; the host never does.
        machine.run("groupadd --system docker").ok();
        machine.run(&format!("systemctl restart {} {HOST}", RUNNERS[0])).ok();
        let docker = machine.run("getent group docker | cut -d: -f3").ok().text().to_owned();
        let groups = |unit: &str| {
            let status = machine.read(&format!("/proc/{}/status", show(&machine, unit, "MainPID"))).unwrap();
            let line = status.lines().find_map(|l| l.strip_prefix("Groups:")).unwrap();
            line.split_whitespace().any(|group| group == docker)
        };
        assert!(groups(RUNNERS[0]) && !groups(RUNNERS[1]) && !groups(HOST));

        // A service can only read its own configuration; people can read neither.
        for (user, own, others) in
            [("kohakuriver-host", "host", "runner"), ("kohakuriver-runner", "runner", "host")]
        {
            machine.run_as(user, &format!("ls /etc/kohakuriver/{own}")).ok();
            machine.run_as(user, &format!("ls /etc/kohakuriver/{others}")).fails();
        }
        machine.run_as("op", "ls /etc/kohakuriver/host").fails();
        machine.run_as("op", "ls /var/lib/kohakuriver").fails();

        // All of it ends with the package, regardless of the number of instances.
        machine.run("dpkg --purge kohakuriver-services").ok();
        gone(&machine);
        let rpm = "/var/tmp/kohakuriver.rpm";
        machine.put_file(package("kohakuriver", "rpm"), rpm);
        machine.run(&format!("rpm --nodeps --install {rpm}")).ok();
        places(&machine);
        machine.run(&format!("systemctl enable --now {HOST} {}", RUNNERS.join(" "))).ok();
        assert_eq!(ask(&machine, "GET", "8011/", None).ok().text(), "runner 8011");
        machine.run("rpm --erase kohakuriver-services").ok();
        gone(&machine);
        Ok(())
    })
}

/// Owners and modes of directories.
#[track_caller]
fn places(machine: &Machine) {
    let places = "cd / && stat --format='%a %U:%G %n' etc/kohakuriver etc/kohakuriver/host etc/kohakuriver/runner var/lib/kohakuriver";
    let expected = "755 root:root etc/kohakuriver\n\
                    700 kohakuriver-host:kohakuriver-host etc/kohakuriver/host\n\
                    700 kohakuriver-runner:kohakuriver-runner etc/kohakuriver/runner\n\
                    750 kohakuriver-host:kohakuriver-host var/lib/kohakuriver";
    assert_eq!(machine.run(places).ok().text(), expected);
}

/// Checks that nothing runs or is enabled, and only accounts and their data are left.
#[track_caller]
fn gone(machine: &Machine) {
    for unit in RUNNERS.into_iter().chain([HOST]) {
        assert_eq!(state(machine, unit), "inactive", "{unit}");
    }
    let left = "find /etc /run/systemd/system /run/kohakuriver /usr/lib/systemd /usr/libexec -name '*kohakuriver*' \
                -not -path '/etc/*-' -not -path /etc/kohakuriver 2>/dev/null";
    assert_eq!(machine.run(left).text(), "");
}
