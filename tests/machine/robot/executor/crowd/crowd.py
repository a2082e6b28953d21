"""So many clients, each with so many requests, of stacks by chance; one line a request with its times and answer."""

import json
import random
import subprocess
import sys
import threading
import time

CLIENTS, REQUESTS, STACKS = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
PRINT = threading.Lock()


def client(number):
    chance = random.Random(number)
    for _ in range(REQUESTS):
        verb, stack = chance.choice(["start", "stop", "switch"]), chance.choice(STACKS)
        begin = time.time_ns() // 1000
        answer = subprocess.run(["rovi", verb, "--json", stack], stdin=subprocess.DEVNULL, capture_output=True)
        end = time.time_ns() // 1000
        try:
            outcome = json.loads(answer.stdout)
        except ValueError:
            sys.exit(f"{verb} {stack}: {answer}")
        with PRINT:
            print(json.dumps({"begin": begin, "end": end, "stack": stack, "status": answer.returncode, "outcome": outcome}))


clients = [threading.Thread(target=client, args=[number]) for number in range(CLIENTS)]
for one in clients:
    one.start()
for one in clients:
    one.join()
