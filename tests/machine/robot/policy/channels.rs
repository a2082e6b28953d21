//! Files and variables that root or rovi processes read: an operator can only write the lock, and can only
//! use it to block a start.

use support::robot::{SECOND, SUITES, robot};
use testbed::{Machine, Result, at_once};

#[test]
fn an_operator_writes_nothing_that_a_service_reads() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = robot(suite).user("other", &[]).boot()?;
        // The files of a run exist.
        robot.run("systemctl start rovi-nav && touch /run/rovi/restart-pending /run/rovi/stopped").ok();
        let ours = robot.run("dpkg -L rovi-services | sort; find /run/rovi /var/lib/rovi /etc/rovi").ok();
        let files: Vec<&str> = ours.stdout.lines().filter(|f| *f != "/.").collect();
        assert!(files.contains(&"/etc/rovi/.env.robot") && files.contains(&"/run/rovi/stack.lock"), "{ours}");
        for user in ["op", "other"] {
            let list = files.join(" ");
            let writable =
                robot.run_as(user, &format!("for f in {list}; do if [ -w $f ]; then echo $f; fi; done")).ok();
            let lock = if user == "op" { "/run/rovi/stack.lock" } else { "" };
            assert_eq!(writable.text(), lock, "{suite}: {user}");
            for attempt in [
                // The lock, its directory, and the files an upgrade reads there.
                "rm -f /run/rovi/stack.lock",
                "mv /run/rovi/stack.lock /tmp",
                "ln -sf /etc/shadow /run/rovi/stack.lock",
                "chmod 777 /run/rovi/stack.lock",
                "chmod 777 /run/rovi",
                "touch /run/rovi/x",
                "echo rovi-gateway.service >/run/rovi/restart-pending",
                "rm -f /run/rovi/stopped",
                // Environment, session, programs, units.
                "echo LD_PRELOAD=/tmp/x.so >>/etc/rovi/.env.robot",
                "touch /etc/rovi/.env.x",
                "cat /var/lib/rovi/.ros/rovi/session/current_launch",
                "touch /var/lib/rovi/x",
                "touch /usr/libexec/rovi/x",
                "mkdir /etc/systemd/system/rovi-nav.service.d",
                "mkdir /run/systemd/system/rovi-nav.service.d",
                "mkdir /run/systemd/transient /run/systemd/system.control/rovi-nav.service.d",
                "touch /usr/share/polkit-1/rules.d/00-x.rules /etc/polkit-1/rules.d/00-x.rules",
                "touch /run/polkit-1/rules.d/00-x.rules || touch /usr/local/share/polkit-1/rules.d/00-x.rules",
                // The manager's environment, and its private socket.
                "systemctl --no-ask-password set-environment LD_PRELOAD=/tmp/x.so",
                "A=1 systemctl --no-ask-password import-environment A",
                "systemctl --no-ask-password unset-environment PATH",
                "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/run/systemd/private\")'",
                "echo 1 >/sys/fs/cgroup/system.slice/rovi-nav.service/cgroup.freeze",
                "echo 1 >/sys/fs/cgroup/system.slice/rovi-nav.service/cgroup.kill",
                "kill $(systemctl show --value -p MainPID rovi-nav)",
                // Other programs that run as root, but only for root.
                "EDITOR=true systemctl --no-ask-password edit --runtime rovi-nav",
                "pkexec id",
            ] {
                robot.run_as(user, attempt).fails();
            }
            // An operator's own environment does not reach a unit.
            let poisoned = "LD_PRELOAD=/tmp/x.so ROVI_ENV=pc ROS_DOMAIN_ID=99 systemctl restart rovi-nav";
            assert_eq!(robot.run_as(user, poisoned).success(), user == "op", "{suite}: {user}");
            let pid = "$(systemctl show --value -p MainPID rovi-nav)";
            let environment = robot.run(&format!("tr '\\0' '\\n' </proc/{pid}/environ")).ok();
            for set in ["LD_PRELOAD=", "ROVI_ENV=pc", "ROS_DOMAIN_ID=99"] {
                assert!(!environment.stdout.contains(set), "{suite}: {user}: {environment}");
            }
        }
        Ok(())
    })
}

#[test]
fn an_operator_with_the_lock_can_only_refuse() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = robot(suite).boot()?;
        // While a shell holds it, a start fails and says where to look, and nothing runs.
        let hold = "flock -n /run/rovi/stack.lock sh -c 'touch /tmp/held; until test -e /tmp/go; do sleep 0.05; done'";
        robot.run_as("op", &format!("({hold}) >/dev/null 2>&1 </dev/null &")).ok();
        robot.wait_for("lock", 30 * SECOND, || robot.has("/tmp/held"));
        robot.run("systemctl start rovi-nav").fails();
        robot.run("journalctl -u rovi-nav").says("`/run/rovi/stack.lock`: held by");
        // An operator's text in the record is shown on an administrator's terminal and must not control it.
        let escape = "p=$(pgrep -f 'test -e /tmp/go' | head -1); \
                      printf 'service=\\033[2Jnav\\npid=%s\\nsince=now\\nstarted=%s\\n' \
                      $p $(cut -d' ' -f22 /proc/$p/stat) >/run/rovi/stack.lock";
        robot.run_as("op", escape).ok();
        let told = robot.run("/usr/libexec/rovi/run_stack --busy").ok();
        assert!(!told.stdout.contains('\x1b') && !told.stderr.contains('\x1b'), "{suite}: {told}");
        robot.run_as("op", ": >/run/rovi/stack.lock; touch /tmp/go").ok();
        started(&robot);

        // While a stack holds it, operators can neither take it nor forge its holder for a second start.
        robot.run_as("op", "flock -n /run/rovi/stack.lock true").fails();
        robot.run_as("op", ": >/run/rovi/stack.lock").ok();
        robot.run("systemctl start rovi-camera").fails();
        assert_eq!(robot.run("systemctl is-active rovi-nav rovi-camera").text(), "active\nfailed", "{suite}");
        robot.run("systemctl stop rovi-nav && systemctl reset-failed").ok();

        // A false record, garbage, and another cgroup: all are ignored.
        let gateway = "$(systemctl show --value -p MainPID rovi-gateway)";
        let forged = format!(
            "p={gateway}; printf 'service=nav\\npid=%s\\nsince=now\\nstarted=%s\\ncgroup=%s\\n' \
             $p $(cut -d' ' -f22 /proc/$p/stat) $(cat /proc/$p/cgroup) >/run/rovi/stack.lock"
        );
        for write in [
            forged.as_str(),
            "head -c 5000000 /dev/urandom >/run/rovi/stack.lock",
            "printf '\\033[2Jroot\\n\\0\\377' >/run/rovi/stack.lock",
        ] {
            robot.run_as("op", write).ok();
            robot.run("systemctl start rovi-nav").ok();
            robot.run("systemctl is-active rovi-gateway").ok();
            let _ = robot.run("/usr/libexec/rovi/run_stack --busy");
            robot.run("systemctl stop rovi-nav; systemctl reset-failed; : >/run/rovi/stack.lock").ok();
        }
        started(&robot);
        Ok(())
    })
}

/// Checks that a stack starts.
fn started(robot: &Machine) {
    robot.wait_for("start of nav", 30 * SECOND, || robot.run("systemctl start rovi-nav").success());
}
