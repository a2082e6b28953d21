"""KohakuRiver's second runner on this machine. Part of kohakuriver-services; an upgrade keeps your changes."""
from kohakuengine import Config

RUNNER_BIND_IP: str = "0.0.0.0"
RUNNER_PORT: int = 8011
# Where the host is reached.
HOST_ADDRESS: str = "127.0.0.1"
HOST_PORT: int = 8000
# Seen under the same path by every node.
SHARED_DIR: str = "/mnt/cluster-share"
# Its own: not that of another runner.
LOCAL_TEMP_DIR: str = "/var/lib/kohakuriver-runner/2"


def config_gen():
    return Config.from_globals()
