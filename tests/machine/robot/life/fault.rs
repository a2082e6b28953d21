//! Full or read-only file systems: a start fails with a clear message and no side effects, and works again
//! when there is space.

use testbed::{Machine, Result};

use super::{family, has_failed, of, on_every_suite, property, start, stop};

const HOME: &str = "/var/lib/rovi";
const RUN: &str = "/run/rovi";

#[test]
fn a_full_disk_is_a_clear_failure_and_passes() -> Result<()> {
    on_every_suite(|robot| {
        // So small that one page fills it.
        robot
            .run(&format!("mount -t tmpfs -o size=4k,nr_inodes=3,uid=rovi,gid=rovi,mode=750 tmpfs {HOME}"))
            .ok();
        robot.run(&format!("head -c 4096 /dev/zero >{HOME}/full")).ok();
        fails_with(robot, "no space left on device", "free space on its file system");
        robot.run(&format!("umount {HOME}")).ok();
        works(robot);

        robot
            .run(&format!(
                "mount -t tmpfs -o size=4k,mode=755 tmpfs {RUN} && systemd-tmpfiles --create rovi.conf"
            ))
            .ok();
        robot.run(&format!("head -c 4096 /dev/zero >{RUN}/full")).ok();
        fails_with(robot, "no space left on device", "free space on its file system");
        robot.run(&format!("rm {RUN}/full")).ok();
        works(robot);
        robot.run(&format!("umount {RUN}")).ok();
        works(robot);
    })
}

#[test]
fn a_read_only_file_system_is_a_clear_failure_and_passes() -> Result<()> {
    on_every_suite(|robot| {
        for (place, todo) in [(HOME, "give this user write access"), (RUN, "writable")] {
            robot.run(&format!("mount --bind {place} {place} && mount -o remount,bind,ro {place}")).ok();
            fails_with(robot, "read-only file system", todo);
            robot.run(&format!("umount {place}")).ok();
            works(robot);
        }
        // The folder is missing because someone removed it.
        robot.run(&format!("rm -r {RUN}")).ok();
        fails_with(robot, "no such file or directory", "`systemd-tmpfiles --create`");
        robot.run("systemd-tmpfiles --create rovi.conf").ok();
        works(robot);
    })
}

#[track_caller]
fn fails_with(robot: &Machine, why: &str, todo: &str) {
    let before = family(robot, &of("nav")).first().map(|p| p.pid);
    robot.run_as("op", "systemctl start rovi-nav").fails();
    has_failed(robot, "rovi-nav");
    assert!(["1", "78"].contains(&&*property(robot, "rovi-nav", "ExecMainStatus")));
    robot.run_as("op", "systemctl status rovi-nav").fails().says(why).says(todo);
    assert_eq!(family(robot, &of("nav")).first().map(|p| p.pid), before, "it was launched");
    robot.run("systemctl is-active rovi-gateway").ok();
}

#[track_caller]
fn works(robot: &Machine) {
    start(robot, "nav");
    assert!(robot.has("/var/lib/rovi/.ros/rovi/session/current_launch"));
    stop(robot, "nav");
    assert_eq!(robot.read("/run/rovi/stack.lock").as_deref(), Some(""));
}
