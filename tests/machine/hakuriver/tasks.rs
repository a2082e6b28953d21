//! Tasks: their users, their limits, and what they cannot access.

use testbed::{Machine, Result};

use crate::cluster::{SOON, TASKS, has_controllers, on_every_suite, package, show, shows, state};

const TASK: &str = "/usr/libexec/hakuriver/task";
const GROUP: &str = "/sys/fs/cgroup/hakuriver.slice/hakuriver-tasks.slice";

#[test]
fn h7_h8_a_task_is_its_users_and_bounded_and_gets_at_nothing_else() -> Result<()> {
    on_every_suite(|suite| {
        let machine = Machine::on(suite).install(package("hakuriver", "deb")).user("op", &[]).boot()?;
        let as_owner = |script: &str| machine.run_as("hakuriver", script);
        as_owner(&format!("{TASK} run a -- true")).fails().says("`hakuriver-tasks.service` is not running");
        machine.run(&format!("systemctl start {TASKS}")).ok();

        // A name, a description, limits, the right user, and the task's own exit.
        as_owner(&format!("{TASK} run a --cpu=50% --memory=32M -- sh -c 'id -un; exit 7'"))
            .exits(7)
            .says("hakuriver\n");
        start(&machine, "b", "--description='Count sheep' --cpu=50 --memory=32M");
        as_owner(&format!("{TASK} list"))
            .ok()
            .says("hakuriver-task-b.scope loaded active running Count sheep");
        let manager = "XDG_RUNTIME_DIR=/run/hakuriver-tasks systemctl --user";
        let limits = as_owner(&format!(
            "{manager} show --property=CPUQuotaPerSecUSec,MemoryMax hakuriver-task-b.scope"
        ));
        assert_eq!(limits.ok().text(), "CPUQuotaPerSecUSec=500ms\nMemoryMax=33554432");
        shows(
            &machine,
            "hakuriver-tasks.slice",
            &[("CPUQuotaPerSecUSec", "8s"), ("MemoryMax", "17179869184"), ("TasksMax", "4096")],
        );
        let group = format!("{GROUP}/hakuriver-tasks.service/app.slice/hakuriver-task-b.scope");
        assert!(machine.has(&group));
        if has_controllers(&machine) {
            // A task above its limit is killed, without the others.
            let eats = "python3 -c 'print(len(bytearray(1 << 30)))'";
            as_owner(&format!("{TASK} run eats --memory=32M -- {eats}")).exits(137);
            assert_eq!(machine.read(&format!("{group}/cpu.max")).unwrap().trim(), "50000 100000");
            assert_eq!(state(&machine, TASKS), "active");
        }

        // Its user cannot change the total limit, and no task can leave it.
        as_owner("systemctl set-property hakuriver-tasks.slice MemoryMax=infinity").fails();
        as_owner(&format!("echo max >{GROUP}/memory.max")).fails();
        as_owner(&format!("{TASK} run out -- sh -c 'echo $$ >/sys/fs/cgroup/cgroup.procs'")).fails();
        let owner = machine.run(&format!("stat --format=%U {GROUP} {GROUP}/hakuriver-tasks.service")).ok();
        assert_eq!(owner.text(), "root\nhakuriver");

        // A task's name cannot be that of another unit, and units of the machine cannot be accessed.
        for name in ["''", "../x", "x.service", "-x", "'a b'", "'x\n'", "x@y", "é", &"x".repeat(65)] {
            as_owner(&format!("{TASK} run {name} -- true")).exits(2).says("error: task `");
            as_owner(&format!("{TASK} stop {name}")).exits(2);
        }
        for words in [
            "run",
            "run a",
            "run a --",
            "run a -- ",
            "run a --cpu=1x -- true",
            "run a --memory=-1 -- true",
            "run a --memory=4X -- true",
            "run a --user=root -- true",
            "list all",
            "stop",
            "stop a b",
            "",
            "start a",
        ] {
            let failed = as_owner(&format!("{TASK} {words}")).exits(2);
            assert_eq!(failed.stderr.lines().count(), 1, "{words}: {}", failed.stderr);
        }
        as_owner(&format!("{TASK} stop nobody")).exits(1).says("error: task `nobody`: not running");
        for reach in [
            "systemctl start hakuriver-host",
            "systemctl stop hakuriver-tasks",
            "systemd-run --unit=hakuriver-task-x id",
            "systemd-run --unit=hakuriver-task-x --uid=hakuriver id",
            "systemd-run --scope --property=User=root id",
            "systemd-run --scope --slice=system.slice id",
        ] {
            as_owner(reach).fails();
        }
        // Its manager has its own names: a unit with the same name as one of the machine is a different unit.
        as_owner(
            "XDG_RUNTIME_DIR=/run/hakuriver-tasks systemd-run --user --quiet --unit=hakuriver-host sleep 600",
        )
        .ok();
        assert_eq!(state(&machine, "hakuriver-host.service"), "inactive");
        as_owner(&format!("{manager} stop hakuriver-host")).ok();

        // The sudo for its programs grants no rights.
        let sudo = "XDG_RUNTIME_DIR=/run/hakuriver-tasks /usr/libexec/hakuriver/tasks/sudo";
        let run = "systemd-run --scope --collect --property=User=root --uid=0";
        as_owner(&format!("{sudo} {run} --unit=hakuriver-task-c --setenv=A=b sh -c 'id -un; echo $A'"))
            .ok()
            .says("hakuriver\nb\n");
        for words in [
            "systemd-run --scope --unit=hakuriver-host id",
            "systemd-run --unit=hakuriver-task-x id",
            "systemd-run --scope --unit=hakuriver-task-x --machine=x id",
            "systemctl stop hakuriver-host",
            "systemctl start hakuriver-task-x",
            "-u root id",
            "",
        ] {
            as_owner(&format!("{sudo} {words}")).exits(1).says("error: sudo");
        }
        let rights = "find /etc/sudoers.d /etc/polkit-1/rules.d -name '*haku*' 2>/dev/null; grep -l Result.YES /usr/share/polkit-1/rules.d/*haku*";
        assert_eq!(machine.run(rights).text(), "");

        // Only its user and root have tasks here; root's belong to that user, too.
        machine.run_as("op", &format!("{TASK} list")).exits(1).says("error: user `op`: has no task manager");
        machine.run_as("op", &format!("{manager} list-units")).fails();
        machine.run(&format!("{TASK} run d -- id -un")).ok().says("hakuriver\n");
        // A task gains no privileges, whoever starts it.
        let privileges = "grep NoNewPrivs /proc/self/status";
        machine.run(&format!("{TASK} run d -- {privileges}")).ok().says("NoNewPrivs:\t1\n");
        as_owner(&format!("{TASK} run d -- {privileges}")).ok().says("NoNewPrivs:\t1\n");
        as_owner(&format!("{sudo} {run} --unit=hakuriver-task-c {privileges}")).ok().says("NoNewPrivs:\t1\n");

        as_owner(&format!("{TASK} stop b")).ok();
        machine.wait_for("its end", SOON, || !machine.has(&group));
        // All tasks end with the manager.
        start(&machine, "e", "");
        machine.run(&format!("systemctl stop {TASKS}")).ok();
        assert_eq!(show(&machine, TASKS, "Result"), "success");
        machine.run("pgrep --full 'sleep 600'").fails();
        Ok(())
    })
}

/// Starts a task that keeps running, from a service like its runner, and waits for it.
#[track_caller]
fn start(machine: &Machine, name: &str, words: &str) {
    let unit =
        format!("systemd-run --quiet --collect --uid=hakuriver {TASK} run {name} {words} -- sleep 600");
    machine.run(&unit).ok();
    let group = format!("{GROUP}/{TASKS}/app.slice/hakuriver-task-{name}.scope/cgroup.procs");
    machine.wait_for("the task", SOON, || machine.read(&group).is_some_and(|pids| !pids.is_empty()));
}
