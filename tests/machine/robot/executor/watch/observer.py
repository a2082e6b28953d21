"""Runs a command and writes down when each line of its output came: nanoseconds since 1970, then the line."""

import subprocess
import sys
import time

command = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE)
with open(sys.argv[1], "wb", buffering=0) as seen:
    for line in command.stdout:
        seen.write(b"%d %s" % (time.time_ns(), line))
