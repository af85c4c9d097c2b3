"""What the peers answer, and the ways in which they misbehave. Each way is taken on `get_session_data` alone, so that
a test can also ask for something that is answered well."""

import os
import signal
import sys
import threading
import time

HUGE = 100_000_000


def result(operation, args):
    """The answer of a manager that has one session."""
    if operation == "list_sessions":
        return {"sessions": [{"session_id": "s1", "agent": "codex", "status": "running"}]}
    if operation == "start_session":
        return {"session_id": "s1"}
    if operation == "get_session_data":
        if args.get("session_id") != "s1":
            raise LookupError("no session " + str(args.get("session_id")))
        return {"text": "hello"}
    if operation == "wait_events":
        return {"events": [], "cursor": "0"}
    return {}


def raw(data):
    """Writes bytes to standard output as they are."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view):]


def huge():
    """A hundred megabytes without a line's end."""
    for _ in range(HUGE // 1_000_000):
        raw(b"x" * 1_000_000)


def misbehave(way, line):
    """Does what `way` names instead of answering with `line`. Returns whether the answer is still to be given."""
    half = line[: len(line) // 2]
    if way == "hang":
        return False
    if way == "garbage":
        raw(b"Segmentation fault (just kidding)\n")
        return False
    if way == "garbage_then_answer":
        raw(b"WARN: low on coffee\n\xff\xfe\n")
        return True
    if way == "half":
        raw(half)
        return False
    if way == "half_then_exit":
        raw(half)
        sys.exit(5)
    if way == "exit":
        print("giving up", file=sys.stderr, flush=True)
        sys.exit(3)
    if way == "die":
        raw(half)
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "close":
        os.close(1)
        time.sleep(600)
    if way == "huge":
        huge()
        return False
    if way == "deaf":
        time.sleep(600)
    if way == "complain":
        threading.Thread(target=complain, daemon=True).start()
    return True


def complain():
    """Writes to standard error for ever."""
    while True:
        os.write(2, b"woe is me, woe is me\n" * 100)
