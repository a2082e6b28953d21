"""Configuration of the second KohakuRiver runner. Part of kohakuriver-services; upgrades keep your changes."""
from kohakuengine import Config

RUNNER_BIND_IP: str = "0.0.0.0"
RUNNER_PORT: int = 8011
# Address of the host.
HOST_ADDRESS: str = "127.0.0.1"
HOST_PORT: int = 8000
# Must have the same path on every node.
SHARED_DIR: str = "/mnt/cluster-share"
# Must be unique for each runner.
LOCAL_TEMP_DIR: str = "/var/lib/kohakuriver-runner/2"


def config_gen():
    return Config.from_globals()
