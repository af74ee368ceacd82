"""A scriptable proxy before a chain's RPC. It delays nothing and decides nothing unless a test says so.

A rule gets the JSON-RPC request and a way to forward it, and returns what the client sees: an answer
object, `Raw` bytes with an HTTP status, or `DROP` (the connection closes without an answer).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any

import requests

Request = dict[str, Any]
Forward = Callable[[Request], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Raw:
    """An HTTP answer that need not be JSON-RPC."""

    status: int
    body: bytes


class Drop:
    """No answer at all."""


DROP = Drop()
Reply = dict[str, Any] | Raw | Drop
Rule = Callable[[Request, Forward], Reply]


class Proxy:
    """Listens on a free port of this machine until the context ends."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.seen: list[Request] = []
        self._rules: dict[str, tuple[Rule, int | None]] = {}
        self._lock = threading.Lock()
        self._session = requests.Session()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def on(self, method: str, rule: Rule, *, times: int | None = None) -> None:
        """Applies `rule` to the next `times` calls of `method` ("*": any), or to all."""
        self._rules[method] = (rule, times)

    def clear(self) -> None:
        self._rules.clear()

    def count(self, method: str) -> int:
        """Calls of `method` so far."""
        return sum(request["method"] == method for request in self.seen)

    def forward(self, request: Request) -> dict[str, Any]:
        answer: dict[str, Any] = self._session.post(self.upstream, json=request, timeout=30).json()
        return answer

    def reply(self, request: Request) -> Reply:
        self.seen.append(request)
        with self._lock:
            rule = self._take(request["method"]) or self._take("*")
        return self.forward(request) if rule is None else rule(request, self.forward)

    def _take(self, method: str) -> Rule | None:
        rule, times = self._rules.get(method, (None, None))
        if rule is None or times == 0:
            return None
        if times is not None:
            self._rules[method] = (rule, times - 1)
        return rule

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def error(code: int, message: str, data: object = None) -> Rule:
    """Answers with a JSON-RPC error."""
    body = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return lambda request, forward: {"jsonrpc": "2.0", "id": request["id"], "error": body}


def result(value: object) -> Rule:
    """Answers with `value`."""
    return lambda request, forward: {"jsonrpc": "2.0", "id": request["id"], "result": value}


def lose_answer(request: Request, forward: Forward) -> Reply:
    """The node gets the call, the client no answer."""
    forward(request)
    return DROP


def lagging(every: int = 2, behind: int = 3) -> Rule:
    """A balancer in front of a second node that is `behind` blocks late: every so-manieth call lands there."""
    calls = count(1)

    def rule(request: Request, forward: Forward) -> Reply:
        if next(calls) % every:
            return forward(request)
        top = int(forward({**request, "method": "eth_blockNumber", "params": []})["result"], 16) - behind
        method, params = request["method"], request["params"]
        nothing: Reply = {"jsonrpc": "2.0", "id": request["id"], "result": None}
        unknown = error(-32000, "header not found")(request, forward)
        if method == "eth_getBlockByNumber":
            if params[0] == "latest":
                return forward({**request, "params": [hex(max(top, 0)), False]})
            return nothing if int(params[0], 16) > top else forward(request)
        if method == "eth_getBlockByHash":
            found = forward(request)["result"]
            return nothing if found is None or int(found["number"], 16) > top else forward(request)
        if method == "eth_getLogs" and "blockHash" in params[0]:
            header = forward({**request, "method": "eth_getBlockByHash", "params": [params[0]["blockHash"], False]})
            return unknown if int(header["result"]["number"], 16) > top else forward(request)
        if method == "eth_getLogs":
            cut = {**params[0], "toBlock": hex(max(min(int(params[0]["toBlock"], 16), top), 0))}
            return forward({**request, "params": [cut]})
        return forward(request)

    return rule


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # Otherwise every answer waits 40 ms for an acknowledgement.

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            reply = proxy.reply(request)
            if isinstance(reply, Drop):
                self.close_connection = True
                return
            raw = reply if isinstance(reply, Raw) else Raw(200, json.dumps(reply).encode())
            self.send_response(raw.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw.body)))
            self.end_headers()
            self.wfile.write(raw.body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: tests look at `Proxy.seen`."""

    return Handler
