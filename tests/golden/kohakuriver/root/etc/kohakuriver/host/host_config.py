"""Configuration of the KohakuRiver host. Part of kohakuriver-services; upgrades keep your changes."""
from kohakuengine import Config

HOST_BIND_IP: str = "0.0.0.0"
HOST_PORT: int = 8000
HOST_SSH_PROXY_PORT: int = 8002
# Address of this machine for runners and clients.
HOST_REACHABLE_ADDRESS: str = "127.0.0.1"
# Must have the same path on every node.
SHARED_DIR: str = "/mnt/cluster-share"
DB_FILE: str = "/var/lib/kohakuriver/kohakuriver.db"


def config_gen():
    return Config.from_globals()
