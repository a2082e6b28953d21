#!/usr/lib/mycroft/venv/bin/python3 -B
"""Says a sentence to the assistant on its bus, and prints what a skill answers. Exits with 1 without an answer."""

import json
import sys
import time

from websocket import WebSocketTimeoutException, create_connection

bus = create_connection("ws://127.0.0.1:8181/core", timeout=1)
context = {"source": "ask", "destination": ["skills"], "session": {"session_id": "ask"}}
data = {"utterances": [sys.argv[1]], "lang": "en-US"}
bus.send(json.dumps({"type": "recognizer_loop:utterance", "data": data, "context": context}))
end = time.time() + 10
while time.time() < end:
    try:
        message = json.loads(bus.recv())
    except WebSocketTimeoutException:
        continue
    if message["type"] == "speak" and message["context"].get("session", {}).get("session_id") == "ask":
        print(message["data"]["utterance"])
        sys.exit()
sys.exit(1)
