#!/usr/bin/env python3
"""A session manager that works (manager.py does the work), and goes wild at some of its operations.
Usage: wild.py cli WAY[@OPERATION,…] VERB [--name value]…
       wild.py rpc|mcp WAY[@OPERATION,…] [--socket PATH | --http PORT]
Without operations it goes wild at all of them. The ways are in the tables WIRE and VALUES."""

import fcntl
import json
import os
import pathlib
import signal
import socket
import sys
import time

sys.dont_write_bytecode = True
front, (way, _, where), rest = sys.argv[1], sys.argv[2].partition("@"), sys.argv[3:]
OPERATIONS = ("start_session", "list_sessions", "get_session_data", "send_message", "end_session", "wait_events")
wild_at = where.split(",") if where else OPERATIONS
sys.argv = [str(pathlib.Path(__file__).with_name("manager.py")), "well", ""]
import manager  # noqa: E402

HOSTILE = "\x1b[2J\x1b]0;pwned\x07\r\n::error::pwned\n##[error]x ]]> <script>alert(1)</script> | `x` **x** \u202e \u0000 \u009b31m"
BEYOND = "x" * 5_000_000


class Refused(Exception):
    pass


def refuse(code, message):
    raise Refused(code, message)


manager.fail = refuse

# ---- ways of the wire: what is written instead of, or around, an answer ------------------------------------------------


def raw(data):
    """Writes bytes as they are, not mixed with those of another answer."""
    with open(__file__) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        view = memoryview(data)
        while view:
            view = view[os.write(1, view[:65536]) :]


def hang(line):
    if front == "cli":
        time.sleep(600)


def stop(line):
    os.kill(os.getpid(), signal.SIGSTOP)


def garbage(line):
    raw(b"Segmentation fault (just kidding)\n\xff\xfe\x00\x1b[31m\n")


def half(line):
    raw(line[: len(line) // 2])
    hang(line)


def half_then_exit(line):
    raw(line[: len(line) // 2])
    os._exit(5)


def die(line):
    os.kill(os.getpid(), signal.SIGKILL)


def close(line):
    os.close(1)
    os.close(2)
    time.sleep(600)


def huge(line):
    chunk = b"x" * 1_000_000
    for _ in range(100):
        raw(chunk)
    raw(b"\n")


def lines(line):
    """A hundred megabytes of short lines."""
    for _ in range(100):
        raw(b"nonsense\n" * 110_000)


def deep(line):
    raw(b"[" * 1_000_000 + b"\n")


def latin(line):
    raw(line.replace(b'"', b'"\xe9\xff', 3))


def twice(line):
    raw(line + line)


def stranger(line):
    """An answer to something that was never asked."""
    raw(json.dumps({**json.loads(line), "id": 4711}).encode() + b"\n")


def complain(line):
    """Answers, and writes to standard error for ever."""
    raw(line)
    if os.fork() == 0:
        while True:
            os.write(2, b"\x1b[31mwoe is me\x1b[0m " * 1000)


def fork_away(line):
    """Answers, and leaves something behind that holds the pipes, hears no signal and is in nobody's group."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            time.sleep(600)
        os._exit(0)
    raw(line)


def exit_after(line):
    """Answers, and is gone before the next call."""
    raw(line)
    if front != "cli":
        os._exit(0)


def parricide(line):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


def chatter(line):
    """Answers, and announces for ever."""
    raw(line)
    if os.fork() == 0:
        count = 0
        while True:
            count += 1
            params = {"session_id": "nobody", "turn": count}
            raw(json.dumps({"jsonrpc": "2.0", "method": "turn_completed", "params": params}).encode() + b"\n")


WIRE = {
    way.__name__: way
    for way in (hang, stop, garbage, half, half_then_exit, die, close, huge, lines, deep, latin, twice, stranger)
    + (complain, fork_away, exit_after, parricide, chatter)
}

# ---- ways of values: what an answer says -------------------------------------------------------------------------------

IDS = {
    "id_path": "../../",
    "id_flag": "-rf",
    "id_newline": "a\nb",
    "id_ansi": HOSTILE.replace("\u0000", ""),
    "id_nul": "a\u0000b",
    "id_long": "x" * 300_000,
}


def lie(operation, value):
    """What is said instead of a true answer."""
    if way == "wrong_types":
        return {key: 5 for key in value} or 5
    if way == "null":
        return None
    if way == "list":
        return [value]
    if way == "hostile_text":
        return {**value, "text": HOSTILE + str(value.get("text"))} if operation == "get_session_data" else value
    if way == "hostile_error":
        raise Refused("session_not_found", HOSTILE)
    if way == "unknown_error":
        raise Refused(HOSTILE, HOSTILE)
    if way == "long_error":
        raise Refused("internal", BEYOND)
    if way == "empty_id" and "session_id" in value:
        return {**value, "session_id": ""}
    if way == "heavy" and "text" in value:
        return {**value, "text": value["text"] + BEYOND}
    if way == "many" and "sessions" in value:
        return {"sessions": value["sessions"] + [{"session_id": f"s{at}"} for at in range(40_000)]}
    if way == "flood" and "events" in value:
        return {"events": [{"event": "turn_completed", "session_id": f"s{at}"} for at in range(50_000)], "cursor": "0"}
    if way == "odd_events" and "events" in value:
        return {"events": [5, None, HOSTILE, {"event": HOSTILE}, {"event": "turn_completed"}], "cursor": {"deep": [1]}}
    return value


def outside(value):
    """A true answer with the ids of this way."""
    prefix = IDS.get(way, "")
    value = json.loads(json.dumps(value))
    for known in [value] + value.get("sessions", []) + value.get("events", []):
        if "session_id" in known:
            known["session_id"] = prefix + known["session_id"]
    return value


def truth(operation, args):
    if operation == "send_message":
        manager.record()
        return {}
    return manager.operations[operation.replace("_", "-")]()


def result(operation, args):
    args = {name: value for name, value in args.items() if value is not None}
    if "session_id" in args:
        args["session_id"] = args["session_id"].removeprefix(IDS.get(way, ""))
    manager.args = args
    value = outside(truth(operation, args))
    return lie(operation, value) if operation in wild_at else value


def go(operation, line):
    """Writes an answer, or goes wild."""
    (WIRE.get(way, raw) if operation in wild_at else raw)(line)


# ---- fronts ------------------------------------------------------------------------------------------------------------


def command_line():
    verb, words = rest[0], rest[1:]
    operation = verb.replace("-", "_")
    args = {name[2:].replace("-", "_"): value for name, value in zip(words[::2], words[1::2])}
    try:
        said, wrong = result(operation, args), False
    except Refused as error:
        code, message = error.args
        said, wrong = {"error": {"code": code, "message": message}}, True
    line = json.dumps(said).encode() + b"\n"
    if wrong and not (way in WIRE and operation in wild_at):
        sys.stderr.buffer.write(line)
        sys.exit(1)
    go(operation, line)


def by_rpc(message):
    """The operation asked for, and the answer."""
    operation, answer = message["method"], {"jsonrpc": "2.0", "id": message["id"]}
    if operation not in OPERATIONS:
        return operation, {**answer, "error": {"code": -32601, "message": "no such method"}}
    try:
        return operation, {**answer, "result": result(operation, message.get("params") or {})}
    except Refused as error:
        code, text = error.args
        return operation, {**answer, "error": {"code": -32001, "message": text, "data": {"code": code}}}


def by_mcp(message):
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    method, params = message["method"], message.get("params") or {}
    if method == "initialize":
        info = {"name": "wild", "version": "1"}
        return "", {**answer, "result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}}
    if method == "tools/list":
        tools = [{"name": name, "inputSchema": {"type": "object"}} for name in OPERATIONS]
        return "", {**answer, "result": {"tools": tools}}
    if method != "tools/call":
        return "", {**answer, "error": {"code": -32601, "message": "no such method"}}
    try:
        value, failed = result(params["name"], params.get("arguments") or {}), False
    except Refused as error:
        value, failed = {"error": {"code": error.args[0], "message": error.args[1]}}, True
    said = {"content": [{"type": "text", "text": "see structuredContent"}], "structuredContent": value, "isError": failed}
    return params["name"], {**answer, "result": said}


answer_to = {"rpc": by_rpc, "mcp": by_mcp}.get(front)
asked = {"rpc": lambda message: message["method"], "mcp": lambda message: (message.get("params") or {}).get("name")}.get(front)


def answered(message):
    operation, answer = answer_to(message)
    go(operation, json.dumps(answer).encode() + b"\n")


def stream():
    """One message a line. Each call in a process of its own, so that one that waits keeps nobody waiting; a call at which
    this manager goes wild on the wire in this process itself, but for what only waits."""
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        if way in WIRE and asked(message) in wild_at and asked(message) != "wait_events":
            answered(message)
        elif os.fork() == 0:
            answered(message)
            os._exit(0)


def over_http(port):
    """One message a request, a process for each connection."""
    # These two take a while to load.
    import http.server
    import socketserver

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            # The connection is this process's standard output while it answers.
            if "id" not in message:
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            operation, answer = answer_to(message)
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(10**9 if way == "huge" and operation in wild_at else len(body)))
            self.end_headers()
            self.wfile.flush()
            os.dup2(self.connection.fileno(), 1)
            if way == "hang" and operation in wild_at:
                time.sleep(600)
            go(operation, body)

        def do_GET(self):
            self.send_response(405)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    class Server(socketserver.ForkingMixIn, http.server.HTTPServer):
        max_children = 1000

    Server(("127.0.0.1", port), Handler).serve_forever()


if front == "cli":
    command_line()
elif rest[:1] == ["--http"]:
    over_http(int(rest[1]))
elif rest[:1] == ["--socket"]:
    if os.path.exists(rest[1]):
        os.unlink(rest[1])
    server = socket.socket(socket.AF_UNIX)
    server.bind(rest[1])
    server.listen()
    while True:
        connection, _ = server.accept()
        if os.fork() == 0:
            server.close()
            os.dup2(connection.fileno(), 0)
            os.dup2(connection.fileno(), 1)
            stream()
            os._exit(0)
        connection.close()
else:
    stream()
