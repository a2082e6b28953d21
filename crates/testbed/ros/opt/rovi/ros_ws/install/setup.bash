# Stand-in for install/setup.bash of a colcon workspace with one package. It needs the variables of the underlay.
: "${AMENT_PREFIX_PATH:?no underlay: source /opt/ros/jazzy/setup.bash first}"
export COLCON_PREFIX_PATH="/opt/rovi/ros_ws/install${COLCON_PREFIX_PATH:+:$COLCON_PREFIX_PATH}"
export AMENT_PREFIX_PATH="/opt/rovi/ros_ws/install/rovi_bringup:$AMENT_PREFIX_PATH"
