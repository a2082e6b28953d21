# Stand-in for ROS 2.
export ROS_DISTRO=jazzy ROS_VERSION=2
export AMENT_PREFIX_PATH="/opt/ros/jazzy${AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}"
export PATH="/opt/ros/jazzy/bin${PATH:+:$PATH}"
