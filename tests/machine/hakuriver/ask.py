"""`ask.py METHOD ADDRESS [JSON]`: asks, and prints the answer."""
import sys
import urllib.request

method, address = sys.argv[1:3]
body = sys.argv[3].encode() if len(sys.argv) > 3 else None
request = urllib.request.Request("http://127.0.0.1:" + address, body, {"Content-Type": "application/json"}, method=method)
print(urllib.request.urlopen(request, timeout=25).read().decode())
