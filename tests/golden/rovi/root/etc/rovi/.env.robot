# Environment of rovi-services on a machine of role `robot`.
# This machine is the robot.
#
# Read by systemd (EnvironmentFile=) and, through /usr/share/rovi/rovi_env.sh, by shells, with the same values:
# one NAME=value a line, nothing is expanded in a value; quote one with spaces. Your changes survive upgrades.
# No passwords here: everybody on this machine can read it.

ROVI_ENV=robot

# The workspace. Change its path only here.
ROVI_ROS_WS_DIR=/opt/rovi/ros_ws
ROS_DISTRO=jazzy

# All machines in the robot's ROS graph must have the same number.
ROS_DOMAIN_ID=0
RMW_IMPLEMENTATION=rmw_cyclonedds_cpp

# The publisher of odom -> base_link. 0: the EKF of mapping, localization and nav. 1: the odometry
# itself, for teleop only. The gateway reads this at its start: after a change, run `sudo systemctl
# restart rovi-gateway`.
ROVI_ODOM_INTEGRATOR_PUBLISH_TF=0
