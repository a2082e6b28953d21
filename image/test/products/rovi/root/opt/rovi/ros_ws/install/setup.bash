# Stands in for a workspace that colcon built; it wants ROS to be set up before.
: "${AMENT_PREFIX_PATH:?no underlay: source /opt/ros/jazzy/setup.bash first}"
export COLCON_PREFIX_PATH="/opt/rovi/ros_ws/install${COLCON_PREFIX_PATH:+:$COLCON_PREFIX_PATH}"
