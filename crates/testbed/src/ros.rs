//! A stand-in for ROS 2: enough of `/opt/ros/jazzy` and of a workspace for a launch with two nodes, which
//! record what they are and every signal they get. `ros/` holds its files, laid out as they are on a machine.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::machine::Machine;

const ROS2: &str = include_str!("../ros/opt/ros/jazzy/bin/ros2");

/// Its manners: `{"nodes": [...], "exit": 3, "deaf": true}`, all optional; without the file, two obedient
/// nodes. `ros2` itself tells more.
pub const MANNERS: &str = "/etc/ros-stand-in.json";

/// Where its processes write down what they are.
const RECORDS: &str = "/dev/shm/ros-stand-in";

/// The files, for [`Plan::files`](crate::Plan::files).
pub fn stand_in() -> [(&'static str, u32, &'static str); 6] {
    [
        ("/opt/ros/jazzy/setup.bash", 0o644, include_str!("../ros/opt/ros/jazzy/setup.bash")),
        ("/opt/ros/jazzy/bin/ros2", 0o755, ROS2),
        (
            "/opt/rovi/ros_ws/install/setup.bash",
            0o644,
            include_str!("../ros/opt/rovi/ros_ws/install/setup.bash"),
        ),
        ("/opt/rovi/ros_ws/install/rovi_bringup/lib/rovi_bringup/talker", 0o755, ROS2),
        ("/opt/rovi/ros_ws/install/rovi_bringup/lib/rovi_bringup/listener", 0o755, ROS2),
        (
            "/usr/lib/tmpfiles.d/ros-stand-in.conf",
            0o644,
            include_str!("../ros/usr/lib/tmpfiles.d/ros-stand-in.conf"),
        ),
    ]
}

/// A process of the stand-in, running or ended.
#[derive(Debug, Clone, Deserialize)]
pub struct Process {
    /// `launch`, or the name of a node.
    pub role: String,
    /// Its number on the machine.
    pub pid: u32,
    /// Its parent at the start.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Whom it runs as.
    pub uid: u32,
    /// Its arguments, from the program on.
    pub argv: Vec<String>,
    /// Its working directory.
    pub folder: String,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Signals among SIGHUP, SIGINT and SIGTERM that it inherited blocked or ignored, and so cannot hear.
    pub unheard: Vec<String>,
    /// Signals that it got: name and sender; 0 is the kernel (a terminal's Ctrl-C) or somebody outside the
    /// machine.
    #[serde(skip)]
    pub signals: Vec<(String, u32)>,
    /// Another launch of a stack, or a node of one, was there when this one began.
    #[serde(skip)]
    pub clash: bool,
    /// The status with which it ended by itself; none while it runs, and when it was killed.
    #[serde(skip)]
    pub status: Option<i32>,
}

impl Process {
    /// How often it got a signal.
    pub fn count(&self, signal: &str) -> usize {
        self.signals.iter().filter(|(name, _)| name == signal).count()
    }
}

/// Every process that the stand-in has been since the boot, in the order of their starts.
///
/// # Panics
/// When the records are not readable, which is a fault of the stand-in.
#[track_caller]
pub fn processes(machine: &Machine) -> Vec<Process> {
    let mut processes: Vec<Process> = Vec::new();
    // Not by a command inside: whoever waits for a process asks many times.
    let records = machine.list(RECORDS);
    let records = records.iter().map(|name| machine.read(&format!("{RECORDS}/{name}")).unwrap_or_default());
    for line in records.collect::<String>().lines() {
        match serde_json::from_str(line).unwrap_or_else(|error| panic!("stand-in for ROS: {line}: {error}")) {
            Event::Start(process) => processes.push(process),
            Event::Signal { signal, sender } => last(&mut processes).signals.push((signal, sender)),
            Event::Clash => last(&mut processes).clash = true,
            Event::End { status } => last(&mut processes).status = Some(status),
        }
    }
    processes
}

fn last(processes: &mut [Process]) -> &mut Process {
    processes.last_mut().expect("a record begins with a start")
}

/// A line of a process's record.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    Start(Process),
    Signal { signal: String, sender: u32 },
    Clash,
    End { status: i32 },
}
