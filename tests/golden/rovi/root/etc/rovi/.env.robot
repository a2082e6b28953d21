# Environment of rovi-services on a machine of role `robot`.
# This machine is the robot.
#
# Read by systemd (EnvironmentFile=) and, through /usr/share/rovi/rovi_env.sh, by shells, with the same values:
# one NAME=value a line, nothing is expanded in a value; quote one with spaces. Your changes survive upgrades.
# No passwords here: everybody on this machine can read it.

ROVI_ENV=robot

# The one place that says where the workspace is.
ROVI_ROS_WS_DIR=/opt/rovi/ros_ws
ROS_DISTRO=jazzy

# The robot's graph: every machine that takes part in it has this number.
ROS_DOMAIN_ID=0
RMW_IMPLEMENTATION=rmw_cyclonedds_cpp

# Who publishes odom -> base_link. 0: the EKF of mapping, localization and nav. 1: the odometry
# itself, for teleop alone. Read when the gateway starts: after a change, `sudo systemctl restart
# rovi-gateway`.
ROVI_ODOM_INTEGRATOR_PUBLISH_TF=0
