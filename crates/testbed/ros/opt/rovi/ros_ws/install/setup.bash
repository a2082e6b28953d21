# Stands in for a colcon workspace's install/setup.bash, with one package in it. It uses what the underlay has
# set.
: "${AMENT_PREFIX_PATH:?no underlay: source /opt/ros/jazzy/setup.bash first}"
export COLCON_PREFIX_PATH="/opt/rovi/ros_ws/install${COLCON_PREFIX_PATH:+:$COLCON_PREFIX_PATH}"
export AMENT_PREFIX_PATH="/opt/rovi/ros_ws/install/rovi_bringup:$AMENT_PREFIX_PATH"
