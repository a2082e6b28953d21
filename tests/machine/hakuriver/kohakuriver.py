"""Stands in for KohakuRiver's host and runners: reads the configuration as a module, writes where that says, and
serves its name on its port."""
import http.server
import os
import runpy
import sys

config = runpy.run_path(sys.argv[sys.argv.index("--config") + 1])
runner = "RUNNER_PORT" in config
name = "runner" if runner else "host"
place = config["LOCAL_TEMP_DIR"] if runner else os.path.dirname(config["DB_FILE"])
with open(f"{place}/{name}.db", "w") as file:
    file.write(name)


class Name(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{name} {config['RUNNER_PORT' if runner else 'HOST_PORT']}".encode())


http.server.HTTPServer(("", config["RUNNER_PORT" if runner else "HOST_PORT"]), Name).serve_forever()
