"""What a user could ask of systemd and logind: makes every call and prints, tab-separated, the unit's class, the
unit, the call, and how it ended: `ok`, or the name of the error.

Arguments: the session of somebody else, and for another product a file in JSON: its `units`, for which classes a few
calls are `enough`, `main`, the unit that is put beside others, and `spared`, what a user does not try because it would end
the machine. root leaves out the calls that would end the machine. The order matters for whoever is permitted something: a
stack is stopped last.
"""

import json
import os
import pwd
import re
import subprocess
import sys
import time

from bus import Bus, Refused

SYSTEMD = "org.freedesktop.systemd1"
LOGIND = "org.freedesktop.login1"
ROOT = "/org/freedesktop/systemd1"
GATEWAY, NAV = "rovi-gateway.service", "rovi-nav.service"
# Class of a unit, and the units that stand for it.
UNITS = {
    "running": [NAV],
    "stopped": ["rovi-camera.service"],
    "others": ["rovi-teleop.service", "rovi-mapping.service", "rovi-localization.service"],
    # Its end ends the stacks, so they come first.
    "gateway": [GATEWAY],
    "foreign": ["lamp.service"],
    "unlisted": ["rovi-hidden.service"],
    "missing": ["rovi-evil.service"],
    # Names that a sloppy comparison takes for a stack's.
    "odd": [
        "rovi-nav", "rovi-nav.service ", " rovi-nav.service", "rovi-nav.service\n", "rovi-nav.service\0",
        "rovi-nav.service/", "./rovi-nav.service", "/usr/lib/systemd/system/rovi-nav.service",
        "../system/rovi-nav.service", "rovi\\x2dnav.service", "rovi_nav.service", "ROVI-NAV.SERVICE",
        "rovi-nav.service.service", "rovi-nav@.service", "rovi-nav@x.service", "rovi-*.service",
        "rovi-nav.service,rovi-gateway.service", "rovi-nav.scope", "rovi-nav.slice", "rovi-nav.timer",
        "rovi-nav.socket", "rovi-nav.path", "rovi-nav.mount", "rovi-nav.target",
    ],
}
ENOUGH = {"others": ["StartUnit replace", "RestartUnit replace", "StopUnit replace", "ResetFailedUnit"]}
ENOUGH["odd"] = ENOUGH["others"] + ["StartTransientUnit service", "StartTransientUnit scope"]
MODES = [
    "replace", "fail", "replace-irreversibly", "isolate", "flush", "ignore-dependencies",
    "ignore-requirements", "restart-dependencies", "triggering", "lenient",
]
JOBS = [
    "start", "stop", "restart", "reload", "try-restart", "reload-or-restart", "reload-or-try-restart", "verify-active",
]
TRUE = [("/bin/true", ["/bin/true"], False)]
COMMAND = ("ExecStart", ("a(sasb)", TRUE))
# A transient service is root's unless it says otherwise; these say more than that.
TRANSIENT = {
    "": [COMMAND],
    " User=root": [COMMAND, ("User", ("s", "root"))],
    " ExecStartPre": [COMMAND, ("ExecStartPre", ("a(sasb)", TRUE))],
    " AmbientCapabilities": [COMMAND, ("User", ("s", "rovi")), ("AmbientCapabilities", ("t", 1 << 21))],
}


def object_of(unit):
    """The object that stands for a unit."""
    plain = lambda c, i: c.isascii() and c.isalpha() or c.isdigit() and i > 0
    return ROOT + "/unit/" + ("".join(c if plain(c, i) else f"_{ord(c):02x}" for i, c in enumerate(unit)) or "_")


def of_manager(member, signature, *values):
    return (SYSTEMD, ROOT, SYSTEMD + ".Manager", member, signature, *values)


def transient(name, properties, aux=()):
    return of_manager("StartTransientUnit", "ssa(sv)a(sa(sv))", name, "fail", properties, list(aux))


def jobs_of(unit):
    """Start, stop and restart in every way, so that a stack is running until the last of them."""
    for mode in MODES:
        yield f"StartUnit {mode}", of_manager("StartUnit", "ss", unit, mode)
    yield "StartUnitReplace", of_manager("StartUnitReplace", "sss", "slow.service", unit, "replace")
    yield "StartUnitWithFlags", of_manager("StartUnitWithFlags", "sst", unit, "replace", 0)
    yield "ResetFailedUnit", of_manager("ResetFailedUnit", "s", unit)
    for mode in ("replace", "fail", "flush", "ignore-dependencies"):
        yield f"RestartUnit {mode}", of_manager("RestartUnit", "ss", unit, mode)
    for mode in MODES:
        yield f"StopUnit {mode}", of_manager("StopUnit", "ss", unit, mode)
    for member in ("Start", "Restart", "Stop"):
        yield f"Unit.{member}", (SYSTEMD, object_of(unit), SYSTEMD + ".Unit", member, "s", "replace")
    yield "Unit.ResetFailed", (SYSTEMD, object_of(unit), SYSTEMD + ".Unit", "ResetFailed", "")


def live(unit, child):
    """What concerns the processes and the settings of a unit."""
    here, one, service = object_of(unit), SYSTEMD + ".Unit", SYSTEMD + ".Service"
    weight = [("CPUWeight", ("t", 50))]
    for member, arguments in (("Clean", [["state"]]), ("Freeze", []), ("Thaw", [])):
        signature = "as" if arguments else ""
        yield f"{member}Unit", of_manager(f"{member}Unit", "s" + signature, unit, *arguments)
        yield f"Unit.{member}", (SYSTEMD, here, one, member, signature, *arguments)
    for runtime in (True, False):
        kind = "runtime" if runtime else "persistent"
        yield f"SetUnitProperties {kind}", of_manager("SetUnitProperties", "sba(sv)", unit, runtime, weight)
        yield f"Unit.SetProperties {kind}", (SYSTEMD, here, one, "SetProperties", "ba(sv)", runtime, weight)
    yield "Properties.Set", (SYSTEMD, here, "org.freedesktop.DBus.Properties", "Set", "ssv", one, "Markers", ("as", []))
    mount = ("/etc", "/tmp", False, True)
    yield "BindMountUnit", of_manager("BindMountUnit", "sssbb", unit, *mount)
    yield "Service.BindMount", (SYSTEMD, here, service, "BindMount", "ssbb", *mount)
    yield "MountImageUnit", of_manager("MountImageUnit", "sssbba(ss)", unit, *mount, [])
    yield "Service.MountImage", (SYSTEMD, here, service, "MountImage", "ssbba(ss)", *mount, [])
    yield "AttachProcessesToUnit", of_manager("AttachProcessesToUnit", "ssau", unit, "", [child])
    yield "Service.AttachProcesses", (SYSTEMD, here, service, "AttachProcesses", "sau", "", [child])
    yield "RemoveSubgroupFromUnit", of_manager("RemoveSubgroupFromUnit", "sst", unit, "/x", 0)
    yield "AbandonScope", of_manager("AbandonScope", "s", unit)
    yield "RefUnit", of_manager("RefUnit", "s", unit)
    yield "Unit.Ref", (SYSTEMD, here, one, "Ref", "")
    yield "UnrefUnit", of_manager("UnrefUnit", "s", unit)
    for whom, signal in (("main", 15), ("all", 9), ("all", 2), ("control", 15)):
        yield f"KillUnit {whom} {signal}", of_manager("KillUnit", "ssi", unit, whom, signal)
        yield f"Unit.Kill {whom} {signal}", (SYSTEMD, here, one, "Kill", "si", whom, signal)
    yield "KillUnitSubgroup", of_manager("KillUnitSubgroup", "sssi", unit, "all", "", 9)
    yield "QueueSignalUnit", of_manager("QueueSignalUnit", "ssii", unit, "main", 34, 1)
    yield "Unit.QueueSignal", (SYSTEMD, here, one, "QueueSignal", "sii", "main", 34, 1)
    for member in ("ReloadUnit", "TryRestartUnit", "ReloadOrRestartUnit", "ReloadOrTryRestartUnit"):
        yield member, of_manager(member, "ss", unit, "replace")
        yield "Unit." + member.removesuffix("Unit"), (SYSTEMD, here, one, member.removesuffix("Unit"), "s", "replace")
    for job in JOBS:
        yield f"EnqueueUnitJob {job}", of_manager("EnqueueUnitJob", "sss", unit, job, "replace")
        yield f"Unit.EnqueueJob {job}", (SYSTEMD, here, one, "EnqueueJob", "ss", job, "replace")


def files(unit):
    """What concerns the files that units are made of."""
    names = [unit]
    yield "EnableUnitFiles", of_manager("EnableUnitFiles", "asbb", names, False, False)
    yield "EnableUnitFiles runtime", of_manager("EnableUnitFiles", "asbb", names, True, True)
    yield "EnableUnitFilesWithFlags", of_manager("EnableUnitFilesWithFlags", "ast", names, 1)
    yield "ReenableUnitFiles", of_manager("ReenableUnitFiles", "asbb", names, False, True)
    yield "DisableUnitFiles", of_manager("DisableUnitFiles", "asb", names, False)
    yield "DisableUnitFilesWithFlags", of_manager("DisableUnitFilesWithFlags", "ast", names, 1)
    yield "DisableUnitFilesWithFlagsAndInstallInfo", of_manager("DisableUnitFilesWithFlagsAndInstallInfo", "ast", names, 1)
    yield "LinkUnitFiles", of_manager("LinkUnitFiles", "asbb", ["/tmp/" + unit], True, True)
    yield "PresetUnitFiles", of_manager("PresetUnitFiles", "asbb", names, True, True)
    yield "PresetUnitFilesWithMode", of_manager("PresetUnitFilesWithMode", "assbb", names, "full", True, True)
    yield "AddDependencyUnitFiles", of_manager("AddDependencyUnitFiles", "asssbb", names, "multi-user.target", "Wants", True, True)
    for kind, runtime in (("", False), (" runtime", True)):
        yield "MaskUnitFiles" + kind, of_manager("MaskUnitFiles", "asbb", names, runtime, False)
        yield "UnmaskUnitFiles" + kind, of_manager("UnmaskUnitFiles", "asb", names, runtime)
    yield "RevertUnitFiles", of_manager("RevertUnitFiles", "as", names)


def transients(unit, child):
    """Units that the caller brings: by the unit's name, and beside one with a name of their own or a stack's."""
    for what, properties in TRANSIENT.items():
        yield f"StartTransientUnit service{what}", transient(unit, properties)
    scope = re.sub(r"\.service$", ".scope", unit)
    yield "StartTransientUnit scope", transient(scope, [("PIDs", ("au", [child]))])
    timer = re.sub(r"\.service$", ".timer", unit)
    yield "StartTransientUnit timer", transient(timer, [("OnActiveSec", ("t", 1 << 50)), ("Unit", ("s", unit))])
    yield "StartTransientUnit beside it", transient("run-policy.service", [COMMAND], [(unit, [COMMAND])])
    yield "StartTransientUnit beside nav", transient(NAV, [COMMAND], [(unit, [COMMAND])])


def machine(session):
    """What concerns the whole machine. Calls with `!` end it when they are permitted."""
    for member in ("ListUnits", "ListJobs", "ListUnitFiles", "Dump", "GetDefaultTarget", "Subscribe"):
        yield member, of_manager(member, "")
    yield "LoadUnit", of_manager("LoadUnit", "s", NAV)
    yield "GetUnitProcesses", of_manager("GetUnitProcesses", "s", NAV)
    yield "SetEnvironment", of_manager("SetEnvironment", "as", ["LD_PRELOAD=/tmp/evil.so"])
    yield "UnsetEnvironment", of_manager("UnsetEnvironment", "as", ["LD_PRELOAD"])
    yield "UnsetAndSetEnvironment", of_manager("UnsetAndSetEnvironment", "asas", ["A"], ["A=1"])
    yield "UnsetAndSetEnvironment again", of_manager("UnsetAndSetEnvironment", "asas", ["A"], [])
    yield "ResetFailed", of_manager("ResetFailed", "")
    yield "EnqueueMarkedJobs", of_manager("EnqueueMarkedJobs", "")
    yield "SetShowStatus", of_manager("SetShowStatus", "s", "auto")
    yield "SetDefaultTarget", of_manager("SetDefaultTarget", "sb", "multi-user.target", True)
    yield "PresetAllUnitFiles", of_manager("PresetAllUnitFiles", "sbb", "enable-only", True, False)
    yield "StartAuxiliaryScope", of_manager("StartAuxiliaryScope", "saha(sv)t", "rovi-nav.scope", [], [], 0)
    bus = Bus()
    running = [job for job in bus.call(*of_manager("ListJobs", ""))[0] if job[1] == "slow.service"]
    yield "CancelJob", of_manager("CancelJob", "u", running[0][0] if running else 0)
    yield "Job.Cancel", (SYSTEMD, running[0][4] if running else ROOT, SYSTEMD + ".Job", "Cancel", "")
    yield "ClearJobs", of_manager("ClearJobs", "")
    for name, value in (("LogLevel", ("s", "debug")), ("ServiceWatchdogs", ("b", True)), ("RuntimeWatchdogUSec", ("t", 0))):
        yield f"Properties.Set {name}", (SYSTEMD, ROOT, "org.freedesktop.DBus.Properties", "Set", "ssv", SYSTEMD + ".Manager", name, value)
    yield "KExec!", of_manager("KExec", "")
    yield "Exit!", of_manager("Exit", "")
    yield "SetExitCode!", of_manager("SetExitCode", "y", 1)
    for member in ("Reboot", "PowerOff", "Halt"):
        yield f"{member}!", of_manager(member, "")
    yield "SoftReboot!", of_manager("SoftReboot", "s", "")
    yield "SwitchRoot!", of_manager("SwitchRoot", "ss", "/tmp", "")
    for target in ("rescue", "emergency", "multi-user", "reboot", "poweroff", "kexec", "ctrl-alt-del"):
        yield f"StartUnit isolate {target}.target!", of_manager("StartUnit", "ss", target + ".target", "isolate")
        yield f"StartUnit replace {target}.target!", of_manager("StartUnit", "ss", target + ".target", "replace")
    yield "Reload", of_manager("Reload", "")
    power = lambda member, signature, *values: (LOGIND, "/org/freedesktop/login1", LOGIND + ".Manager", member, signature, *values)
    for member in ("Reboot", "PowerOff", "Halt", "Suspend", "Hibernate"):
        yield f"logind {member}!", power(member, "b", False)
    yield "logind ScheduleShutdown!", power("ScheduleShutdown", "st", "poweroff", (int(time.time()) + 3600) * 1000000)
    yield "logind CancelScheduledShutdown", power("CancelScheduledShutdown", "")
    yield "logind SetWallMessage", power("SetWallMessage", "sb", "robots", True)
    yield "logind SetRebootParameter", power("SetRebootParameter", "s", "x")
    yield "logind KillSession", power("KillSession", "ssi", session, "all", 15)
    yield "logind TerminateSession", power("TerminateSession", "s", session)
    # A service manager or session of the caller's own, outside of everything that bounds them.
    yield "logind SetUserLinger own", power("SetUserLinger", "ubb", os.getuid(), False, False)
    yield "logind SetUserLinger another's", power("SetUserLinger", "ubb", pwd.getpwnam("witness").pw_uid, False, False)
    new = (os.getuid(), 0, "policy", "tty", "user", "", "", 0, "", "", False, "", "", [])
    yield "logind CreateSession", power("CreateSession", "uusssssussbssa(sv)", *new)
    yield "StartUnit own manager", of_manager("StartUnit", "ss", f"user@{os.getuid()}.service", "fail")
    for what in ("shutdown", "sleep", "idle", "handle-power-key"):
        yield f"logind Inhibit {what}", power("Inhibit", "ssss", what, "policy", "test", "block")
    yield "logind Inhibit delay", power("Inhibit", "ssss", "shutdown", "policy", "test", "delay")
    yield "Reexecute", of_manager("Reexecute", "")


class Caller:
    def __init__(self):
        self.bus = Bus()

    def ends(self, call):
        try:
            reply = self.bus.call(*call)
        except Refused as refused:
            return refused.name
        except (EOFError, OSError):
            self.bus = Bus()
            return "hung up"
        if reply and isinstance(reply[0], str) and "/job/" in reply[0]:
            self.wait_for_job(int(reply[0].rsplit("/", 1)[1]))
        return "ok"

    def wait_for_job(self, job):
        deadline = time.monotonic() + 25
        while time.monotonic() < deadline:
            try:
                self.bus.call(*of_manager("GetJob", "u", job))
            except Refused:
                return
            time.sleep(0.005)
        raise SystemExit(f"job {job} does not end")


def calls(unit, kind, child):
    """The calls for a unit. The rule compares whole names, so a few calls say enough of the odd ones, and the rule is
    one list, so two stacks stand for the others in most calls."""
    every = [*live(unit, child), *files(unit), *transients(unit, child), *jobs_of(unit)]
    return [call for call in every if kind not in ENOUGH or call[0] in ENOUGH[kind]]


def main():
    global UNITS, ENOUGH, NAV
    spared = []
    if len(sys.argv) > 2:
        with open(sys.argv[2], encoding="utf-8") as file:
            given = json.load(file)
        UNITS, ENOUGH, NAV = given["units"], given["enough"], given["main"]
        spared = given["spared"].get(pwd.getpwuid(os.getuid()).pw_name, [])
    is_root = os.getuid() == 0
    # Somebody's process to be moved about.
    child = subprocess.Popen(["sleep", "1000"])
    caller = Caller()
    every = [(kind, u, c) for kind, units in UNITS.items() for u in units for c in calls(u, kind, child.pid)]
    every += [("machine", "", call) for call in machine(sys.argv[1])]
    try:
        for kind, unit, (label, call) in every:
            end = "not tried" if is_root and label.endswith("!") or label in spared else caller.ends(call)
            print(kind, ascii(unit), label.removesuffix("!"), end, sep="\t", flush=True)
    finally:
        child.kill()


main()
