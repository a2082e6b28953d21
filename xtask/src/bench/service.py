"""A service that opens a port after a while: `service.py SECONDS PORT [sdnotify]`. It says when it did by the clock that
counts from the boot on, and with `sdnotify` tells the service manager itself."""
import socket
import sys
import time

notifier = None
if sys.argv[3:]:
    import sdnotify

    notifier = sdnotify.SystemdNotifier()
time.sleep(float(sys.argv[1]))
server = socket.create_server(("127.0.0.1", int(sys.argv[2])))
opened = time.clock_gettime(time.CLOCK_MONOTONIC)
if notifier:
    notifier.notify("READY=1")
print(opened, flush=True)
time.sleep(1000)
