"""Measures the cost of ways to query the state of units: milliseconds of CPU time and of elapsed time, per way."""

import json
import resource
import subprocess
import sys
import time

rounds, command, units = int(sys.argv[1]), sys.argv[2], sys.argv[3:]


def show(*fields):
    return [["systemctl", "show", f"--property={field}", unit] for unit in units for field in fields]


sides = {
    "ours": [[command, "status", "--json"]],
    "states": show("ActiveState"),
    "fields": show("ActiveState", "SubState", "ExecMainStatus"),
}
spent = {side: [0.0, 0.0] for side in sides}
for _ in range(rounds):
    for side, commands in sides.items():
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        for one in commands:
            subprocess.run(one, stdout=subprocess.DEVNULL, check=True)
        after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        spent[side][0] += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        spent[side][1] += end - begin
print(json.dumps({side: [1000 * sum_ / rounds for sum_ in sums] for side, sums in spent.items()}))
