#!/usr/bin/env python3
"""A JSON-RPC session manager. Usage: rpc.py WAY [--socket PATH | --http PORT]. Without one: standard streams."""

import http.server
import json
import os
import socket
import sys

sys.dont_write_bytecode = True
import behaviour  # noqa: E402

way = sys.argv[1]
where = sys.argv[2:]
held = []


def answer_to(message):
    """The answer, as an object; `None` for a notification."""
    if "id" not in message:
        return None
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    known = ("initialize", "start_session", "list_sessions", "get_session_data", "send_message", "end_session", "wait_events")
    if message["method"] not in known:
        return {**answer, "error": {"code": -32601, "message": "no such method"}}
    try:
        return {**answer, "result": behaviour.result(message["method"], message.get("params") or {})}
    except LookupError as error:
        return {**answer, "error": {"code": -32001, "message": str(error), "data": {"code": "session_not_found"}}}


def line_of(answer):
    return json.dumps(answer).encode() + b"\n"


def take(message):
    """Answers one message on standard output, in the way asked for."""
    answer = answer_to(message)
    if answer is None:
        return
    line = line_of(answer)
    if message["method"] != "get_session_data":
        behaviour.raw(line)
        if message["method"] == "list_sessions" and way == "announce":
            for turn in (1, 2):
                params = {"session_id": "s1", "turn": turn}
                behaviour.raw(line_of({"jsonrpc": "2.0", "method": "turn_completed", "params": params}))
            behaviour.raw(line_of({"jsonrpc": "2.0", "method": "turn_completed", "params": {"turn": 3}}))
    elif way == "out_of_order":
        held.append(line)
        if len(held) == 2:
            behaviour.raw(held.pop())
            behaviour.raw(held.pop())
    elif way == "twice":
        behaviour.raw(line + line)
    elif way == "stranger":
        behaviour.raw(line_of({**answer, "id": 4711}) + line_of({**answer, "id": str(answer["id"])}))
    elif way == "stranger_then_answer":
        behaviour.raw(line_of({**answer, "id": 4711}) + line)
    elif way == "ask_back":
        behaviour.raw(line_of({"jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage"}))
        refused = json.loads(sys.stdin.readline())
        assert refused["id"] == "q" and refused["error"]["code"] == -32601, refused
        behaviour.raw(line)
    elif way == "shapeless":
        behaviour.raw(line_of({"jsonrpc": "2.0", "id": answer["id"]}))
    elif way == "wrong_type":
        behaviour.raw(line_of({"jsonrpc": "2.0", "id": answer["id"], "result": {"text": 5}}))
    elif behaviour.misbehave(way, line):
        behaviour.raw(line)


class Handler(http.server.BaseHTTPRequestHandler):
    """The same over HTTP."""

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = answer_to(message)
        body = b"" if answer is None else json.dumps(answer).encode()
        if message.get("method") == "get_session_data":
            if way == "hang":
                return self.rfile.read()
            if way == "garbage":
                body = b"<html>Bad Gateway</html>"
            if way == "huge":
                body = b"x" * behaviour.HUGE
            if way == "die":
                os._exit(9)
        self.send_response(502 if body.startswith(b"<") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except BrokenPipeError:
            pass

    def log_message(self, *args):
        pass


if where[:1] == ["--http"]:
    http.server.ThreadingHTTPServer(("127.0.0.1", int(where[1])), Handler).serve_forever()
if where[:1] == ["--socket"]:
    if os.path.exists(where[1]):
        os.unlink(where[1])
    server = socket.socket(socket.AF_UNIX)
    server.bind(where[1])
    server.listen()
    while True:
        connection, _ = server.accept()
        if os.fork() == 0:
            os.dup2(connection.fileno(), 0)
            os.dup2(connection.fileno(), 1)
            break
        connection.close()
while True:
    line = sys.stdin.readline()
    if not line:
        break
    take(json.loads(line))
