"""Stands in for a client of the bus: connects over its websocket, says so, and connects again when it has to."""

import json
import os
import sys
import time

import websocket


def main():
    name = os.path.basename(sys.argv[0])
    while True:
        try:
            bus = websocket.create_connection("ws://127.0.0.1:8181/core")
            bus.send(json.dumps({"type": "hello", "data": {"from": name}, "context": {}}))
            while (message := json.loads(bus.recv()))["type"] != "hello" or message["data"]["from"] != name:
                pass
            # The bus has told everybody, this one too.
            print(f"{name} is connected", flush=True)
            while True:
                bus.recv()
        except (OSError, websocket.WebSocketException) as error:
            print(f"{name} is not connected: {error}", flush=True)
            time.sleep(0.1)
