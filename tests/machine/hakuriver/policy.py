"""What a user could ask of systemd about the units of both products: makes every call and prints, tab-separated, the
unit, the call, and how it ended: `ok`, or the name of the error. The client is that of the robot's table."""
import os
import re
import subprocess
import sys
import time

from bus import Bus, Refused

SYSTEMD, ROOT = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
UNITS = [
    "hakuriver-host.service", "hakuriver-host.socket", "hakuriver-runner@1.service", "hakuriver-tasks.service",
    "hakuriver-tasks.slice", "hakuriver-task-1.service", "kohakuriver-runner@1.service", "lamp.service",
]
TRUE = [("ExecStart", ("a(sasb)", [("/bin/true", ["/bin/true"], False)]))]


def settle(unit):
    """Waits for what is still to be done with it: nobody gets into what is just being stopped."""
    for _ in range(3000):
        path, = bus.call(SYSTEMD, ROOT, SYSTEMD + ".Manager", "LoadUnit", "s", unit)
        (number, _), = bus.call(
            SYSTEMD, path, "org.freedesktop.DBus.Properties", "Get", "ss", SYSTEMD + ".Unit", "Job"
        )
        if number == 0:
            return
        time.sleep(0.01)
    sys.exit(f"{unit}: its job does not end")


def calls(unit, child, attached):
    one = lambda member, signature="", *values: (member, (SYSTEMD, ROOT, SYSTEMD + ".Manager", member, signature, *values))
    for member in ("ReloadUnit", "TryRestartUnit", "ReloadOrRestartUnit", "StartUnit", "RestartUnit", "StopUnit"):
        yield one(member, "ss", unit, "replace")
    for mode in ("flush", "ignore-dependencies", "isolate"):
        yield f"StartUnit {mode}", one("StartUnit", "ss", unit, mode)[1]
    yield one("ResetFailedUnit", "s", unit)
    yield one("EnqueueUnitJob", "sss", unit, "start", "replace")
    # What is killed cannot be frozen any more, and a freezer waits for it; nor does anybody get into it. Whoever got in is
    # killed with it.
    yield one("FreezeUnit", "s", unit)
    yield one("ThawUnit", "s", unit)
    settle(unit)
    yield one("AttachProcessesToUnit", "ssau", unit, "", [attached])
    yield one("AttachProcessesToUnit", "ssau", unit, "/app.slice", [attached])
    yield one("KillUnit", "ssi", unit, "all", 15)
    yield one("CleanUnit", "sas", unit, ["runtime"])
    yield one("RefUnit", "s", unit)
    yield one("SetUnitProperties", "sba(sv)", unit, True, [("MemoryMax", ("t", 2**64 - 1))])
    yield one("BindMountUnit", "sssbb", unit, "/etc", "/tmp", False, True)
    yield one("EnableUnitFiles", "asbb", [unit], True, True)
    yield one("DisableUnitFiles", "asb", [unit], True)
    yield one("MaskUnitFiles", "asbb", [unit], True, False)
    yield one("UnmaskUnitFiles", "asb", [unit], True)
    yield "StartTransientUnit", one("StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", TRUE, [])[1]
    scope = re.sub(r"\.[a-z]+$", ".scope", unit)
    pids = [("PIDs", ("au", [child]))]
    yield "StartTransientUnit scope", one("StartTransientUnit", "ssa(sv)a(sa(sv))", scope, "fail", pids, [])[1]
    aside = [("run-beside.service", TRUE)]
    yield "StartTransientUnit beside", one("StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", TRUE, aside)[1]


bus = Bus()
for unit in UNITS:
    children = [subprocess.Popen(["sleep", "1000"]) for _ in range(2)]
    try:
        for label, call in calls(unit, *(child.pid for child in children)):
            try:
                bus.call(*call)
                end = "ok"
            except Refused as refused:
                end = refused.name
            print(unit, label, end, sep="\t", flush=True)
    finally:
        for child in children:
            child.kill()
