"""Local gateways that behave as a test says: lie, keep silent, trickle, break off, or serve."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kizuna.store import Cid, MemoryBlocks

Script = Callable[["ScriptedGateway", BaseHTTPRequestHandler, Cid], None]


class ScriptedGateway:
    """An HTTP server that answers every request by its script. `asked` counts requests by id."""

    def __init__(self, script: Script, blocks: MemoryBlocks | None = None) -> None:
        self.script, self.blocks = script, blocks or MemoryBlocks()
        self.asked: Counter[Cid] = Counter()
        self.sent = 0
        self.released = threading.Event()  # lets those go that keep silent
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cid = Cid.parse(self.path.split("/")[2].split("?")[0])
                outer.asked[cid] += 1
                try:
                    outer.script(outer, self, cid)
                except OSError:  # the client has gone
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> ScriptedGateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def answer(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, length: int | None = None) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def honest(gateway: ScriptedGateway, handler: BaseHTTPRequestHandler, cid: Cid) -> None:
    block = gateway.blocks.get(cid)
    if block is None:
        answer(handler, b"", 404)
    else:
        answer(handler, block)
        gateway.sent += len(block)


def lying(gateway: ScriptedGateway, handler: BaseHTTPRequestHandler, cid: Cid) -> None:
    answer(handler, bytes(len(gateway.blocks.get(cid) or b"x")))


def absent(gateway: ScriptedGateway, handler: BaseHTTPRequestHandler, cid: Cid) -> None:
    answer(handler, b"not here", 404)


def refusing(gateway: ScriptedGateway, handler: BaseHTTPRequestHandler, cid: Cid) -> None:
    answer(handler, b"", 500)


def redirecting(gateway: ScriptedGateway, handler: BaseHTTPRequestHandler, cid: Cid) -> None:
    handler.send_response(302)
    handler.send_header("Location", "http://127.0.0.1:9/")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def silent(gateway: ScriptedGateway, handler: BaseHTTPRequestHandler, cid: Cid) -> None:
    gateway.released.wait(60)


def trickling(gateway: ScriptedGateway, handler: BaseHTTPRequestHandler, cid: Cid) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not gateway.released.wait(0.02):
        handler.wfile.write(b"x")


def breaking_off(gateway: ScriptedGateway, handler: BaseHTTPRequestHandler, cid: Cid) -> None:
    block = gateway.blocks.get(cid) or b"xx"
    answer(handler, block[: len(block) // 2], length=len(block))
    handler.close_connection = True


def endless(gateway: ScriptedGateway, handler: BaseHTTPRequestHandler, cid: Cid) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not gateway.released.is_set():
        handler.wfile.write(bytes(65536))
