"""A service that opens a port after a delay: `service.py SECONDS PORT [sdnotify]`. It prints the time of that, by the
monotonic clock. With `sdnotify`, it also notifies the service manager."""
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
