"""Shows the files of a directory in a browser.

usage: page.py DIRECTORY PORT
"""

import functools
import http.server
import sys

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: page.py DIRECTORY PORT")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
    http.server.ThreadingHTTPServer(("", int(sys.argv[2])), handler).serve_forever()
