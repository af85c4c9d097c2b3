#!/usr/bin/env python3
"""A session manager with the canonical command line. Usage: cli.py WAY VERB [--name value]…"""

import json
import sys
import time

sys.dont_write_bytecode = True
import behaviour  # noqa: E402

way, verb, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
if verb == "events":
    print('{"event":"ready"}', flush=True)
    for turn in (1, 2):
        print(json.dumps({"event": "turn_completed", "session_id": "s1", "turn": turn}), flush=True)
    time.sleep(600)

args = {name[2:].replace("-", "_"): value for name, value in zip(rest[::2], rest[1::2])}
operation = verb.replace("-", "_")
try:
    answer = json.dumps(behaviour.result(operation, args)).encode()
except LookupError as error:
    print(json.dumps({"error": {"code": "session_not_found", "message": str(error)}}), file=sys.stderr)
    sys.exit(1)
if operation != "get_session_data" or behaviour.misbehave(way, answer):
    behaviour.raw(answer)
elif way == "hang":
    time.sleep(600)
elif way == "half":
    time.sleep(600)
