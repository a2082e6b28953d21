"""A launch whose processes write down each signal they get.

usage: tree.py DIRECTORY [NAME...]; the first process is called `launch`. `+NAME` is in a process group of its own,
`-NAME` is a daemon: in a session of its own, and its parent is gone. `~NAME` starts 0.1 seconds after the launch got
its first signal, and a second `~` doubles that. `NAME!HELPER` starts a helper after its first signal. Each writes DIRECTORY/NAME.pid when it is ready,
a line in NAME.signals per signal, and ends when there is NAME.end or `end`, whose content is the exit status.
"""

import os
import signal
import sys
import time

where, names = sys.argv[1], sys.argv[2:]


def live(name, then=()):
    heard = []

    def note(number, _frame):
        with open(f"{where}/{name}.signals", "a") as f:
            f.write(signal.Signals(number).name + "\n")
        heard.append(time.monotonic())

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, note)
    with open(f"{where}/{name}.pid.new", "w") as f:
        f.write(str(os.getpid()))
    os.rename(f"{where}/{name}.pid.new", f"{where}/{name}.pid")
    # Longer than any test waits: what a failing one leaves behind does not stay for ever.
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for end in (f"{where}/{name}.end", f"{where}/end"):
            if os.path.exists(end):
                os._exit(int(open(end).read() or 0))
        for delay, starting in then:
            if heard and time.monotonic() >= heard[0] + delay:
                then = [other for other in then if other[1] != starting]
                if os.fork() == 0:
                    live(starting)
                break
        time.sleep(0.005)
    os._exit(9)


late = [(0.1 * name.count("~"), name.lstrip("~")) for name in names if name[0] == "~"]
for name in (name for name in names if name[0] != "~"):
    if os.fork() == 0:
        if name[0] == "+":
            os.setpgid(0, 0)
        if name[0] == "-":
            os.setsid()
            if os.fork():
                os._exit(0)
        name, _, helper = name.lstrip("+-").partition("!")
        live(name, [(0, helper)] if helper else [])
live("launch", late)
