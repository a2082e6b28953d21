//! Permissions: only root may control these units. The packages' polkit rules permit nothing, and tasks need
//! no permission. See `bounds.rs` for what the rules forbid.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use testbed::{Machine, Result};

use crate::cluster::{TASKS, on_every_suite, package};

/// Cells other than "denied". The kernel and systemd let users move their own processes into control groups
/// that are delegated to them. This is how scopes are created in the manager for tasks; it is a way in, not
/// out.
const TABLE: [(&str, &str, &str); 1] = [("hakuriver", TASKS, "AttachProcessesToUnit")];

const USERS: [&str; 3] = ["op", "hakuriver", "kohakuriver-runner"];

type Ends = BTreeMap<(String, String), BTreeSet<String>>;

#[test]
fn nobody_may_do_more_than_the_table_says() -> Result<()> {
    on_every_suite(|suite| {
        let lamp = "[Service]\nExecStart=sleep infinity\n";
        let machine = Machine::on(suite)
            .install(package("hakuriver", "deb"))
            .install(package("kohakuriver", "deb"))
            .user("op", &[])
            .file("/etc/systemd/system/lamp.service", 0o644, lamp)
            .file("/opt/policy/bus.py", 0o644, include_str!("../robot/policy/bus.py"))
            .file("/opt/policy/calls.py", 0o644, include_str!("policy.py"))
            .boot()?;
        // Only running units can be stopped.
        machine.run(&format!("systemctl start lamp hakuriver-host.socket {TASKS}")).ok();
        let everybody: Vec<(&str, Ends)> = USERS.map(|user| (user, ends(&machine, Some(user)))).into();
        let root = ends(&machine, None);
        for (user, ends) in everybody {
            assert_eq!(ends.len(), root.len(), "{user}");
            for ((unit, call), end) in ends {
                let listed = TABLE.contains(&(user, &unit, &call));
                assert_eq!(end.contains("ok"), listed, "{suite} {user}: {call} of {unit}: {end:?}");
                // Other errors than denials are the same for all users and come before the check of
                // permissions.
                let denied = |end: &String| {
                    [".AccessDenied", ".InteractiveAuthorizationRequired", ".NoSuchUnit"]
                        .iter()
                        .any(|name| end.ends_with(name))
                };
                let of_root = &root[&(unit.clone(), call.clone())];
                let fair = end.iter().all(|e| e == "ok" || denied(e) || of_root.contains(e));
                assert!(fair, "{suite} {user}: {call} of {unit}: {end:?}, root: {of_root:?}");
            }
        }
        // Each call is valid: root can make it on some unit.
        let calls: BTreeSet<&String> = root.keys().map(|(_, call)| call).collect();
        let works = |call: &str| root.iter().any(|((_, c), end)| c == call && end.contains("ok"));
        let never: Vec<&&String> = calls.iter().filter(|call| !works(call)).collect();
        let known = [
            "ReloadUnit",
            "FreezeUnit",
            "ThawUnit",
            "BindMountUnit",
            "CleanUnit",
            "StartTransientUnit beside",
            "StartUnit isolate",
        ];
        assert!(never.iter().all(|call| known.contains(&call.as_str())), "{suite}: nobody may: {never:?}");
        Ok(())
    })
}

/// Returns the results of a user's calls, by unit and call.
#[track_caller]
fn ends(machine: &Machine, user: Option<&str>) -> Ends {
    let calls = machine.script("cd /opt/policy && python3 -B calls.py").within(Duration::from_secs(120));
    let calls = if let Some(user) = user { calls.user(user) } else { calls };
    let mut ends = Ends::new();
    for line in calls.run().ok().stdout.lines() {
        let [unit, call, end] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        ends.entry((unit.to_owned(), call.to_owned())).or_default().insert(end.to_owned());
    }
    ends
}
