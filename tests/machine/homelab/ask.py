"""Asks a service: METHOD PORT PATH [NAME=VALUE...]; prints the answer, and ends with 1 when that is no."""

import sys
import urllib.error
import urllib.parse
import urllib.request

method, port, path, *values = sys.argv[1:]
query = urllib.parse.urlencode([tuple(value.split("=", 1)) for value in values])
request = urllib.request.Request(f"http://127.0.0.1:{port}{path}?{query}", method=method)
try:
    answer = urllib.request.urlopen(request, timeout=90)
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.write(answer.read().decode())
sys.exit(answer.status != 200)
