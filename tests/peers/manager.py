#!/usr/bin/env python3
"""A small real session manager with the canonical command line: each session is an agent on a terminal that a keeper
process holds. Its state is in $MANAGER_STATE. Usage: manager.py WAY VERB [--name value]…, where WAY is one of

well          as it should be
elsewhere     starts agents in its own directory instead of `cwd`
hardwired     starts a program of its own instead of the agent on the PATH
mute          starts agents without the message
leaky         forgets a session without ending its agent
silent        announces nothing
worded        announces with a status of its own
lettered      announces with ids of turns instead of numbers
"""

import json
import os
import pathlib
import pty
import signal
import sys
import time
import uuid

way, verb, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
args = {name[2:].replace("-", "_"): value for name, value in zip(rest[::2], rest[1::2]) if name.startswith("--")}
state = pathlib.Path(os.environ["MANAGER_STATE"])
state.mkdir(parents=True, exist_ok=True)
events = state / "events"


def fail(code, message):
    print(json.dumps({"error": {"code": code, "message": message}}), file=sys.stderr)
    sys.exit(1)


def record():
    path = state / (args["session_id"] + ".json")
    if not path.exists():
        fail("session_not_found", "no session " + args["session_id"])
    return path, json.loads(path.read_text())


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


def keep(session, command, cwd):
    """Holds an agent's terminal until the agent ends. Runs in a process of its own."""
    os.setsid()
    agent, terminal = pty.fork()
    if agent == 0:
        os.chdir(cwd)
        os.execvp(command[0], command)
    for fd in (0, 1, 2):
        os.close(fd)
    (state / (session + ".new")).write_text(json.dumps({"pid": agent, "agent": args["agent"]}))
    (state / (session + ".new")).rename(state / (session + ".json"))
    with open(state / (session + ".out"), "wb", buffering=0) as out:
        try:
            while True:
                out.write(os.read(terminal, 65536))
        except OSError:
            os.waitpid(agent, 0)
    os._exit(0)


def start_session():
    agents = ("codex", "claude", "gemini")
    if args["agent"] not in agents:
        fail("unknown_agent", "no agent " + args["agent"])
    if not os.path.isdir(args["cwd"]):
        fail("invalid_argument", "no directory " + args["cwd"])
    session = uuid.uuid4().hex[:8]
    hook = [os.path.abspath(sys.argv[0]), way, "notify", session]
    flags = ["-c", "notify=" + json.dumps(hook)] if args["agent"] == "codex" and way != "silent" else []
    message = ["--", args["message"]] if args.get("message") and way != "mute" else []
    command = ["sleep", "60"] if way == "hardwired" else [args["agent"]] + flags + message
    if os.fork() == 0:
        keep(session, command, os.getcwd() if way == "elsewhere" else args["cwd"])
    while not (state / (session + ".json")).exists():
        time.sleep(0.002)
    return {"session_id": session}


def list_sessions():
    sessions = []
    for path in sorted(state.glob("*.json")):
        known = json.loads(path.read_text())
        status = "running" if alive(known["pid"]) else "stopped"
        sessions.append({"session_id": path.stem, "agent": known["agent"], "status": status})
    return {"sessions": sessions}


def get_session_data():
    path, _ = record()
    return {"text": path.with_suffix(".out").read_text()[-48000:]}


def end_session():
    path, known = record()
    if way != "leaky":
        try:
            os.killpg(known["pid"], signal.SIGKILL)
        except ProcessLookupError:
            pass
        while alive(known["pid"]):
            time.sleep(0.002)
    path.unlink()
    return {}


def notify():
    """Called by an agent at the end of a turn: manager.py WAY notify SESSION PAYLOAD."""
    more = {"worded": {"status": "success"}, "lettered": {"turn": "turn-1"}}.get(way, {})
    line = json.dumps({"event": "turn_completed", "session_id": rest[0], **more}) + "\n"
    fd = os.open(events, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, line.encode())
    return {}


def wait_events():
    after, deadline = int(args.get("after", 0)), time.monotonic() + float(args.get("timeout_s", 0))
    while True:
        lines = events.read_text().splitlines() if events.exists() else []
        if len(lines) > after or time.monotonic() >= deadline:
            return {"events": [json.loads(line) for line in lines[after:]], "cursor": str(len(lines))}
        time.sleep(0.01)


operations = {
    "start-session": start_session,
    "list-sessions": list_sessions,
    "get-session-data": get_session_data,
    "end-session": end_session,
    "notify": notify,
    "wait-events": wait_events,
}
if __name__ == "__main__":
    if verb not in operations or (way == "silent" and verb == "wait-events"):
        print("usage: manager.py WAY VERB", file=sys.stderr)
        sys.exit(2)
    print(json.dumps(operations[verb]()))
