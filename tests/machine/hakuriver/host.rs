//! A real host and its real runners on one machine.

use testbed::{Machine, Result};

use crate::cluster::{
    HOST, PROXY, RUNNERS, SOCKET, SOON, TASKS, ask, cluster, has_controllers, mend, nodes, on_every_suite,
    package, show, shows, state,
};

#[test]
fn h2_h5_h6_h7_h9_a_host_behind_its_door_its_runners_and_their_tasks() -> Result<()> {
    on_every_suite(|suite| {
        let mut machine = cluster(suite).boot()?;
        mend(&machine);
        // None of them is enabled.
        for unit in [SOCKET, PROXY, HOST, RUNNERS[0], TASKS] {
            assert_eq!(state(&machine, unit), "inactive", "{unit}");
        }

        // The first connection starts the host, which serves it. It starts even without docker.
        machine.run(&format!("systemctl enable --now {SOCKET}")).ok();
        assert_eq!(state(&machine, HOST), "inactive");
        assert_eq!(show(&machine, "docker.service", "LoadState"), "not-found");
        assert!(show(&machine, HOST, "Wants").contains("docker.service"));
        assert!(nodes(&machine).is_empty());
        for unit in [SOCKET, HOST] {
            assert_eq!(state(&machine, unit), "active", "{unit}");
        }
        // It serves before it reports readiness.
        machine.wait_for_unit(PROXY, "active", SOON);
        shows(&machine, HOST, &[("Type", "notify"), ("NRestarts", "0"), ("User", "hakuriver")]);
        shows(&machine, SOCKET, &[("Accept", "no"), ("Listen", "[::]:8000 (Stream)")]);
        let line =
            machine.run(&format!("tr '\\0' ' ' </proc/{}/cmdline", show(&machine, HOST, "MainPID"))).ok();
        assert!(
            line.text().ends_with("-m hakuriver.cli.host --config /etc/hakuriver/host.toml"),
            "{}",
            line.text()
        );

        // Two runners, each with its own configuration, environment and port, and a third one from a file.
        for (path, from) in [("3.toml", "2.toml"), ("3.env", "2.env")] {
            let copy = "sed 's/8002/8003/; s/runner-2/runner-3/; s,/2.toml,/3.toml,'";
            machine.run(&format!("cd /etc/hakuriver/runner && {copy} {from} >{path}")).ok();
        }
        let third = "hakuriver-runner@3.service";
        machine.run(&format!("systemctl enable --now {} {third}", RUNNERS.join(" "))).ok();
        assert_eq!(nodes(&machine), ["runner-1", "runner-2", "runner-3"]);
        for (unit, port) in RUNNERS.into_iter().chain([third]).zip(["8001", "8002", "8003"]) {
            assert!(show(&machine, unit, "StatusText").starts_with("ready after "));
            let environment =
                machine.run(&format!("cat /proc/{}/environ", show(&machine, unit, "MainPID"))).ok();
            assert!(environment.stdout.contains(&format!("HAKURIVER_PORT={port}\0")), "{unit}");
            assert!(environment.stdout.contains("PYTHONUNBUFFERED=1\0"), "{unit}");
            ask(&machine, "GET", &format!("{port}/openapi.json"), None).ok().says("\"openapi\"");
        }
        // Without a file there is no instance.
        machine.run("systemctl start hakuriver-runner@4").fails().says("Assertion failed");
        for name in ["../1", "--help", ".", "1.env"] {
            machine.run(&format!("systemctl start -- 'hakuriver-runner@{name}.service'")).fails();
        }
        // They are independent of each other.
        let pids = || RUNNERS.map(|unit| show(&machine, unit, "MainPID"));
        let before = pids();
        machine.run(&format!("systemctl stop {third} && systemctl restart {}", RUNNERS[0])).ok();
        let after = pids();
        assert!(before[0] != after[0] && before[1] == after[1], "{before:?} {after:?}");

        task(&machine);

        // The same after a boot, in any start order.
        machine.run(&format!("systemctl disable {third}")).ok();
        machine.reboot()?;
        for unit in RUNNERS {
            machine.wait_for_unit(unit, "active", SOON + SOON);
        }
        machine.wait_for("both runners", SOON, || nodes(&machine) == ["runner-1", "runner-2"]);
        Ok(())
    })
}

/// A task of the second runner, which calls `sudo systemd-run --scope --property=User=…`.
fn task(machine: &testbed::Machine) {
    let job = r#"{"task_id": 7, "command": "sh", "arguments":
        ["-c", "id -un; grep NoNewPrivs /proc/self/status; tail -n 1 /proc/self/cgroup; sudo id -un; exec sleep 600"],
        "required_cores": 1, "required_memory_bytes": 67108864, "docker_image_name": "", "docker_privileged": false,
        "docker_additional_mounts": [], "stdout_path": "/var/lib/hakuriver/shared/7.out"}"#;
    ask(machine, "POST", "8002/run", Some(job)).ok();
    let out = "/var/lib/hakuriver/shared/7.out";
    machine.wait_for("the task's output", SOON, || {
        machine.read(out).is_some_and(|text| text.lines().count() == 4)
    });
    let text = machine.read(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let group =
        "/hakuriver.slice/hakuriver-tasks.slice/hakuriver-tasks.service/app.slice/hakuriver-task-7.scope";
    // It runs as the runner's user, and sudo cannot change that.
    assert_eq!(lines, ["hakuriver", "NoNewPrivs:\t1", &format!("0::{group}"), "hakuriver"]);
    let manager = "XDG_RUNTIME_DIR=/run/hakuriver-tasks systemctl --user";
    let properties = "Description,CPUQuotaPerSecUSec,MemoryMax,MemorySwapMax";
    let shown = machine
        .run_as("hakuriver", &format!("{manager} show --property={properties} hakuriver-task-7.scope"));
    shown
        .ok()
        .says("Description=HakuRiver Task 7: sh\n")
        .says("CPUQuotaPerSecUSec=1s\n")
        .says("MemoryMax=67108864\n");
    if has_controllers(machine) {
        assert_eq!(machine.read(&format!("/sys/fs/cgroup{group}/memory.max")).unwrap().trim(), "67108864");
    }
    machine.run_as("hakuriver", "/usr/libexec/hakuriver/task list").ok().says("HakuRiver Task 7");
    ask(machine, "POST", "8002/kill", Some(r#"{"task_id": 7}"#)).ok();
    machine.wait_for("its end", SOON, || !machine.has(&format!("/sys/fs/cgroup{group}")));
}

/// The .rpm brings the same cluster.
#[test]
fn a_host_and_its_runner_from_an_rpm() -> Result<()> {
    on_every_suite(|suite| {
        let rpm = package("hakuriver", "rpm");
        let inside = format!("/var/tmp/{}", rpm.file_name().unwrap().to_str().unwrap());
        let ask = ("/usr/local/bin/ask.py", 0o644, include_str!("ask.py"));
        let machine = Machine::on(suite).files([ask]).boot()?;
        machine.put_file(rpm, &inside);
        // Debian's packages are not in rpm's database. What it requires is what the .deb depends on.
        let requires = machine.run(&format!("rpm --query --package --requires {inside}")).ok();
        for relation in ["python3 >= 3.11", "python3 < 3.14", "libc.so.6()(64bit)"] {
            assert!(requires.stdout.lines().any(|line| line == relation), "{relation}: {requires}");
        }
        machine.run(&format!("rpm --nodeps --install {inside}")).ok();
        machine.run(&format!("systemctl start {SOCKET} {}", RUNNERS[0])).ok();
        machine.wait_for("the runner", SOON, || nodes(&machine) == ["runner-1"]);
        machine.run("find /usr/lib/hakuriver -name __pycache__ | grep .").fails();
        machine.run("rpm --erase hakuriver-services").ok();
        for path in ["/usr/lib/hakuriver", "/var/cache/hakuriver"] {
            assert!(!machine.has(path), "{suite}: {path}");
        }
        Ok(())
    })
}
