//! R17: the site's guard decides whether a stack may be stopped.

use testbed::{Machine, Result};

use super::{outcome, start};
use crate::life::{SOON, on_every_suite, state};

#[test]
fn r17_a_guard_is_asked_before_a_stop_and_its_output_is_the_reason() -> Result<()> {
    on_every_suite(|robot| {
        guarded(robot);
        let op = &mut robot.login_session("op");
        start(robot, op, "nav");
        robot.put("/opt/guard", 0o755, "#!/bin/sh\necho \"it moves ($GUARD_VERB $GUARD_SERVICE)\"\nexit 1\n");
        for (line, asked) in [
            ("stop", "stop nav"),
            ("stop nav", "stop nav"),
            ("restart nav", "restart nav"),
            ("switch camera", "switch nav"),
        ] {
            let refused = outcome(op, &format!("rovi {line}"));
            assert_eq!(refused.exit, 75, "{refused:?}");
            assert!(
                refused.message.contains(&format!("the guard refuses: it moves ({asked})")),
                "{refused:?}"
            );
            assert!(refused.message.contains("`systemctl stop rovi-nav.service`"), "{refused:?}");
            assert_eq!(state(robot, "rovi-nav"), "active");
        }
        // The guard is asked about the stack that would be stopped, not about one that starts or is not
        // running.
        op.run("rovi start nav").ok();
        op.run("rovi stop camera").ok();

        // A guard that hangs counts as a refusal and is killed with its children.
        robot.put("/opt/guard", 0o755, "#!/bin/sh\nsleep 987\n");
        let late = op.run("rovi stop nav").exits(75).says("did not answer within 0.3 s");
        assert!(late.took < SOON, "{late}");
        robot.run("! pgrep -f '^sleep 987'").ok();
        robot.run("rm /opt/guard").ok();
        op.run("rovi stop nav").exits(75).says("cannot run `/opt/guard`");
        assert_eq!(state(robot, "rovi-nav"), "active");

        robot.put("/opt/guard", 0o755, "#!/bin/sh\nexit 0\n");
        op.run("rovi switch camera").ok().says("nav is stopped").says("camera runs");
        op.run("rovi stop").ok();
    })
}

/// Gives every stack in the table a guard.
fn guarded(robot: &Machine) {
    let path = "/usr/share/rovi/services.json";
    let mut table: serde_json::Value = serde_json::from_str(&robot.read(path).unwrap()).unwrap();
    for service in table["services"].as_array_mut().unwrap() {
        service["guard"] = serde_json::json!({ "command": ["/opt/guard"], "timeout": "300ms" });
    }
    robot.put(path, 0o644, table.to_string());
}
