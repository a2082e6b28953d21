"""KohakuRiver's host. Part of kohakuriver-services; an upgrade keeps your changes."""
from kohakuengine import Config

HOST_BIND_IP: str = "0.0.0.0"
HOST_PORT: int = 8000
HOST_SSH_PROXY_PORT: int = 8002
# How runners and clients reach this machine.
HOST_REACHABLE_ADDRESS: str = "127.0.0.1"
# Seen under the same path by every node.
SHARED_DIR: str = "/mnt/cluster-share"
DB_FILE: str = "/var/lib/kohakuriver/kohakuriver.db"


def config_gen():
    return Config.from_globals()
