"""Makes the lock of an assistant with the real message bus and stand-ins for its clients.

usage: stand_ins.py CATALOG-FOLDER FOLDER
"""

import os
import re
import shutil
import sys

from wheel import lock, wheel

BUS = """
    certifi charset-normalizer click combo-lock filelock
    idna json-database kthread markdown-it-py mdurl
    memory-tempfile ovos-bus-client ovos-config ovos-messagebus ovos-utils
    pexpect ptyprocess pyee pygments python-dateutil
    pyyaml requests rich rich-click six
    tornado typing-extensions urllib3 watchdog websocket-client
""".split()
CLIENTS = ["ovos-audio", "ovos-dinkum-listener", "ovos-core", "ovos_PHAL"]


def main(product, folder):
    with open(os.path.join(product, "pylock.toml")) as file:
        packages = re.split(r"^(?=\[\[packages\]\]$)", file.read(), flags=re.MULTILINE)[1:]
    shutil.copytree(os.path.join(product, "wheels"), os.path.join(folder, "wheels"))
    by_name = {re.search('name = "(.*)"', package)[1]: package for package in packages}
    with open(os.path.join(os.path.dirname(__file__), "client.py")) as file:
        client = file.read()
    commands = "\n".join(f"{name} = client:main" for name in CLIENTS)
    stand_ins = wheel("stand_ins", files=[("client.py", client)], commands=commands, folder=folder)
    lock(*(by_name[name] for name in BUS), stand_ins, folder=folder)


main(*sys.argv[1:])
