# Stand-in for /opt/ros/jazzy/setup.bash. Like the real one, it requires bash, does not work with `set -u` (it reads a
# variable that is usually unset), and prepends its paths to existing ones.
if [ -n "$AMENT_TRACE_SETUP_FILES" ]; then
    echo ". \"${BASH_SOURCE[0]}\""
fi
export ROS_DISTRO=jazzy ROS_VERSION=2 ROS_PYTHON_VERSION=3
export AMENT_PREFIX_PATH="/opt/ros/jazzy${AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}"
export LD_LIBRARY_PATH="/opt/ros/jazzy/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export PATH="/opt/ros/jazzy/bin${PATH:+:$PATH}"
