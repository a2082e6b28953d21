//! A stand-in for ROS 2: enough of `/opt/ros/jazzy` and of a workspace for a launch with two nodes, which
//! record their properties and every signal. `ros/` contains its files in their layout on a machine.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::machine::Machine;

const ROS2: &str = include_str!("../ros/opt/ros/jazzy/bin/ros2");

/// File with its behavior: `{"nodes": [...], "exit": 3, "deaf": true, "slow": 0.5}`, all optional. Without it, two nodes
/// obey signals. See `ros2` for details.
pub const MANNERS: &str = "/etc/ros-stand-in.json";

/// Folder of the records that its processes write.
const RECORDS: &str = "/dev/shm/ros-stand-in";

/// Returns the files for [`Plan::files`](crate::Plan::files).
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
    /// Process ID on the machine.
    pub pid: u32,
    /// Parent process ID at the start.
    pub parent: u32,
    /// Process group ID.
    pub group: u32,
    /// User ID.
    pub uid: u32,
    /// Arguments, starting with the program.
    pub argv: Vec<String>,
    /// Its working directory.
    pub folder: String,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Signals among SIGHUP, SIGINT and SIGTERM that it inherited blocked or ignored.
    pub unheard: Vec<String>,
    /// Signals received, with the sender's process ID; 0 means the kernel (a terminal's Ctrl-C) or a process
    /// outside the machine.
    #[serde(skip)]
    pub signals: Vec<(String, u32)>,
    /// Whether another launch or node of a stack was running when this one started.
    #[serde(skip)]
    pub clash: bool,
    /// Exit status; `None` while it runs, and if it was killed.
    #[serde(skip)]
    pub status: Option<i32>,
}

impl Process {
    /// Returns how often it received a signal.
    pub fn count(&self, signal: &str) -> usize {
        self.signals.iter().filter(|(name, _)| name == signal).count()
    }
}

/// Returns every process of the stand-in since boot, in start order.
///
///
/// # Panics
///
///
/// If the records are malformed, which is a bug of the stand-in.
#[track_caller]
pub fn processes(machine: &Machine) -> Vec<Process> {
    let mut processes: Vec<Process> = Vec::new();
    // Reads files instead of running a command, because callers poll this often.
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
