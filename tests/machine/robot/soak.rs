//! Many clients start, stop and kill at random: two stacks never run at once, and nothing is left at the end.
//!
//! `SOAK` is the number of actions on each suite. The choices are the same in every run, even if their
//! effects are not. Set `SOAK_SEED` for other choices.

use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, thread};

use support::robot::SECOND;
use testbed::{Machine, Result, Suite, ros};

use crate::life::{SOON, STACKS, is_empty, of, ready, start, state, stop, up};

const CLIENTS: u64 = 8;

/// The number of actions in an ordinary test.
const FEW: u32 = 60;

const SEED: u64 = 20_261_127;

const STACK_UNITS: &str = "rovi-teleop rovi-mapping rovi-localization rovi-nav rovi-camera";

const OBSERVER: &str = include_str!("soak/observer.py");

/// What a person does after a message that a killed run_stack has left processes.
const TIDY: &str = "tidy() {
    while pids=$(run_stack --busy | sed -n 's/.*killed, has left processes running: //p'); [ -n \"$pids\" ]; do
        kill -INT -- $pids; sleep 0.1
    done
}";

#[test]
fn soak_on_trixie() -> Result<()> {
    soak(Suite::Trixie)
}

#[test]
fn soak_on_bookworm() -> Result<()> {
    soak(Suite::Bookworm)
}

/// An observer that reports nothing could be broken.
#[test]
fn the_observer_sees_two_stacks() -> Result<()> {
    let robot = ready(Suite::Trixie)?;
    robot.put("/run/observer.py", 0o644, OBSERVER);
    for who in ["a", "b"] {
        let launch =
            format!("/opt/ros/jazzy/bin/ros2 launch rovi_bringup x.launch.py stack:={who} >/dev/null &");
        robot.script(&launch).user("rovi").env("RUN_STACK_ID", who).run().ok();
        up(&robot, &of(who));
    }
    robot.run("sed -i 's/^while not .*/while looks < 1:/' /run/observer.py").ok();
    robot.run("python3 /run/observer.py").ok().says("looks 1 overlaps 1");
    let clashes: Vec<_> = ros::processes(&robot).into_iter().filter(|p| p.clash).collect();
    assert_eq!(clashes.len(), 1, "{clashes:?}");
    Ok(())
}

fn soak(suite: Suite) -> Result<()> {
    let number = |name| env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let actions = number("SOAK").map_or(FEW, |n| n as u32);
    let seed = number("SOAK_SEED").unwrap_or(SEED);
    eprintln!("{suite}: {actions} actions, SOAK_SEED={seed}");
    let robot = ready(suite)?;
    robot.put("/run/observer.py", 0o644, OBSERVER);
    let left = AtomicU32::new(actions);
    let bound = 60 * SECOND + actions * SECOND;
    let observed = thread::scope(|scope| {
        let observer = scope.spawn(|| robot.script("python3 /run/observer.py").within(bound).run());
        let clients: Vec<_> =
            (0..CLIENTS).map(|c| Random(seed.wrapping_mul(CLIENTS).wrapping_add(c))).collect();
        let clients: Vec<_> =
            clients.into_iter().map(|random| scope.spawn(|| client(&robot, &left, random))).collect();
        let ended: Vec<_> = clients.into_iter().map(thread::ScopedJoinHandle::join).collect();
        robot.put("/run/observer.end", 0o644, "");
        let observed = observer.join().unwrap();
        assert!(ended.iter().all(std::result::Result::is_ok), "a client has failed; SOAK_SEED={seed}");
        observed.ok()
    });
    eprintln!("{suite}: {}", observed.text());
    assert!(observed.text().ends_with("overlaps 0"), "SOAK_SEED={seed}: {observed}");
    let launches: Vec<_> = ros::processes(&robot).into_iter().filter(|p| p.role == "launch").collect();
    let clashes: Vec<_> = launches.iter().filter(|p| p.clash).collect();
    assert!(clashes.is_empty(), "SOAK_SEED={seed}: {clashes:?}");
    let stacks = launches.iter().filter(|p| p.argv.iter().any(|a| a.starts_with("stack:="))).count();
    eprintln!("{suite}: {stacks} launches of stacks, {} of the gateway", launches.len() - stacks);
    assert!(stacks as u32 >= actions / 30, "only {stacks} launches: this showed nothing");
    nothing_is_left(&robot);
    Ok(())
}

/// Performs random actions until all are done. Results depend on the other clients, so only a timeout is an
/// error.
fn client(robot: &Machine, left: &AtomicU32, mut random: Random) {
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
        let stack = STACKS[random.below(STACKS.len() as u64) as usize];
        let one = |pattern: &str, random: &mut Random| {
            format!(
                "kill -KILL $(pgrep -f '{pattern}' | shuf -n 1 --random-source=<(yes {}))",
                random.below(100)
            )
        };
        // A random delay, not a wait for an event. A launch takes a tenth of a second to start, and a kill
        // before that would test nothing.
        thread::sleep(SECOND * random.below(500) as u32 / 1000);
        let (user, script) = match random.below(24) {
            0..=8 => ("op", format!("systemctl start rovi-{stack}")),
            9 => ("op", format!("systemctl stop rovi-{stack}")),
            10 | 11 => ("op", format!("systemctl stop {STACK_UNITS}; systemctl start rovi-{stack}")),
            12 => ("op", format!("systemctl restart rovi-{stack}")),
            13 | 14 => ("root", one("^/usr/libexec/rovi/run_stack [tmlnc]", &mut random) + "; tidy"),
            15 => ("root", one("[r]os2 launch .*stack:=", &mut random)),
            16 | 17 => ("root", one("lib/[r]ovi_bringup/(talker|listener)", &mut random)),
            18 => ("root", "kill -KILL $(systemctl show --value --property=MainPID rovi-gateway)".to_owned()),
            19 => ("root", "systemctl restart rovi-gateway".to_owned()),
            by_hand => {
                let user = if by_hand == 20 { "rovi" } else { "op" };
                let signal = if random.below(4) == 0 { "KILL" } else { "INT" };
                let time = 0.05 + random.below(100) as f64 / 100.0;
                (user, format!("timeout --foreground --signal={signal} {time} run_stack {stack}; tidy"))
            }
        };
        let output = robot.script(&format!("{TIDY}\n{script}")).user(user).within(3 * SOON).run();
        assert_ne!(output.status, 124, "stuck: {output}");
        // A client that killed the gateway may not be the one to start it, but someone must.
        if user == "root" {
            let _ = robot.run("systemctl start rovi-gateway");
        }
    }
}

/// Checks that the machine has no traces and everything still works.
fn nothing_is_left(robot: &Machine) {
    robot.run(&format!("{TIDY}\ntidy; systemctl start rovi-gateway; systemctl stop {STACK_UNITS}")).ok();
    for stack in STACKS {
        let unit = format!("rovi-{stack}");
        assert!(["inactive", "failed"].contains(&&*state(robot, &unit)), "{unit}: {}", state(robot, &unit));
        is_empty(robot, &unit);
        // No leftover of the last start blocks the next one.
        start(robot, stack);
        stop(robot, stack);
    }
    // A developer's session file of a killed run is removed by their next launch.
    let _ = robot.run_as("op", "timeout --foreground --signal=INT 0.5 run_stack nav");
    robot.run_as("op", "run_stack --busy").exits(1);
    let sessions = "find /var/lib/rovi/.ros /home/op/.ros -type f";
    assert_eq!(robot.run(sessions).text(), "", "stale session files");
    assert_eq!(robot.read("/run/rovi/stack.lock").as_deref(), Some(""));
    assert_eq!(robot.run("systemctl list-jobs --no-legend").ok().text(), "");
    assert_eq!(robot.run("systemctl list-units --no-legend --state=activating,deactivating").ok().text(), "");
    // Only the gateway's processes exist.
    let ours = "pgrep --full '^/usr/libexec/rovi|[r]os2 launch|lib/[r]ovi_bringup'";
    let others =
        format!("for pid in $({ours}); do grep -Lw rovi-gateway.service /proc/$pid/cgroup; done 2>/dev/null");
    robot.wait_for("end of everything else", SOON, || robot.run(&others).text().is_empty());
    robot.run("systemctl is-active rovi-gateway").ok();
}

/// The same seed gives the same numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
