# Stand-in for a workspace that colcon built. It requires that ROS is set up first.
: "${AMENT_PREFIX_PATH:?no underlay: source /opt/ros/jazzy/setup.bash first}"
export COLCON_PREFIX_PATH="/opt/rovi/ros_ws/install${COLCON_PREFIX_PATH:+:$COLCON_PREFIX_PATH}"
