"""Looks as often as it can whether processes of two stacks are alive at once, until there is /run/observer.end.

Whose a process is says its environment: a launch and its nodes have the same INVOCATION_ID from systemd, or the same
RUN_STACK_ID from a run_stack by hand. Prints how often it looked, and each overlap that it is sure of: what it saw first
was still there after it had seen the second.
"""

import os

NODES = "/opt/rovi/ros_ws/install/rovi_bringup/lib/rovi_bringup/"


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def started(pid):
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in b"ZX" else None


def stack(pid):
    """Which launch of a stack the process belongs to."""
    words = read(f"/proc/{pid}/cmdline").split(b"\0")
    ours = any(word.startswith(b"stack:=") for word in words) and b"/opt/ros/jazzy/bin/ros2" in words
    if not ours and not any(word.startswith(NODES.encode()) for word in words):
        return None
    if b"rovi-gateway.service" in read(f"/proc/{pid}/cgroup"):
        return None
    environment = dict(e.split(b"=", 1) for e in read(f"/proc/{pid}/environ").split(b"\0") if b"=" in e)
    return environment.get(b"RUN_STACK_ID") or environment.get(b"INVOCATION_ID")


# A process's stack never changes, and neither does it become another process while its start time stays.
known = {}
looks, overlaps = 0, 0
while not os.path.exists("/run/observer.end"):
    looks += 1
    seen = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        start = started(name)
        if start is None:
            continue
        # Between fork and exec it looks like somebody else: only what was recognised is kept.
        whose = known.get((name, start)) or stack(name)
        if whose:
            known[(name, start)] = whose
            seen.setdefault(whose, (name, start))
    if len(seen) > 1:
        there = {whose: pid for whose, (pid, start) in seen.items() if started(pid) == start}
        # Each of these was alive from when it was seen until now, so that all were alive at once.
        if len(there) > 1:
            overlaps += 1
            print("overlap", there, flush=True)
print("looks", looks, "overlaps", overlaps, flush=True)
