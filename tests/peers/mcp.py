#!/usr/bin/env python3
"""An MCP session manager. Usage: mcp.py WAY [--http PORT]. Without: standard streams."""

import http.server
import json
import os
import sys

sys.dont_write_bytecode = True
import behaviour  # noqa: E402

way = sys.argv[1]
where = sys.argv[2:]
TOOLS = ("start_session", "list_sessions", "get_session_data", "send_message", "end_session", "wait_events")


def answer_to(message):
    """The answer, as an object; `None` for a notification."""
    if "id" not in message:
        return None
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    method, params = message["method"], message.get("params") or {}
    if method == "initialize":
        if way == "modern_only":
            return {**answer, "error": {"code": -32601, "message": "no such method"}}
        info = {"name": "peer", "version": "1"}
        capabilities = {"tools": {}, "logging": {}}
        return {**answer, "result": {"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": info}}
    if method == "server/discover":
        versions = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
        return {**answer, "result": {**versions, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}}
    if method in ("ping", "logging/setLevel"):
        return {**answer, "result": {}}
    if method == "tools/list":
        return {**answer, "result": {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}}
    if method != "tools/call":
        return {**answer, "error": {"code": -32601, "message": "no such method"}}
    if params["name"] not in TOOLS:
        return {**answer, "error": {"code": -32602, "message": "no such tool"}}
    try:
        value, failed = behaviour.result(params["name"], params.get("arguments") or {}), False
    except LookupError as error:
        value, failed = {"error": {"code": "session_not_found", "message": str(error)}}, True
    content = [{"type": "text", "text": json.dumps(value)}]
    result = {"content": content, "isError": failed, "resultType": "complete"}
    if way != "text_only":
        result["structuredContent"] = value
    return {**answer, "result": result}


def line_of(answer):
    return json.dumps(answer).encode() + b"\n"


def is_data(message):
    return message.get("method") == "tools/call" and message["params"]["name"] == "get_session_data"


def take(message):
    answer = answer_to(message)
    if answer is None:
        return
    line = line_of(answer)
    if is_data(message):
        if way == "twice":
            behaviour.raw(line)
        if way == "stranger":
            behaviour.raw(line_of({**answer, "id": 4711}))
        elif behaviour.misbehave(way, line):
            behaviour.raw(line)
        return
    behaviour.raw(line)
    if way == "announce" and message.get("method") == "tools/call":
        for turn in (1, 2):
            data = {"event": "turn_completed", "session_id": "s1", "turn": turn}
            behaviour.raw(line_of({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": data}}))
        chatter = {"level": "info", "data": "listing sessions"}
        behaviour.raw(line_of({"jsonrpc": "2.0", "method": "notifications/message", "params": chatter}))


class Handler(http.server.BaseHTTPRequestHandler):
    """Streamable HTTP with plain JSON answers and no stream of its own."""

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = answer_to(message)
        body = b"" if answer is None else json.dumps(answer).encode()
        if is_data(message):
            if way == "hang":
                return self.rfile.read()
            if way == "garbage":
                body = b"{half"
            if way == "huge":
                body = b"x" * behaviour.HUGE
            if way == "die":
                os._exit(9)
        self.send_response(200 if body else 202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def do_GET(self):
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


if where[:1] == ["--http"]:
    http.server.ThreadingHTTPServer(("127.0.0.1", int(where[1])), Handler).serve_forever()
while True:
    line = sys.stdin.readline()
    if not line:
        break
    take(json.loads(line))
