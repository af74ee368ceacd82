"""Servers that are no chain node, each wrong in its own way, where an operator says that one is."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def answering(answer: Callable[[object], bytes]) -> Iterator[str]:
    """The URL of a server that answers every request with what `answer` makes of its JSON-RPC id."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = answer(asked["id"])
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: what a command says of it is what counts."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Silent:
    """A server that takes connections and never says a word. Use as a context manager."""

    def __init__(self) -> None:
        self.called = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._taken: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._take, daemon=True).start()

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)  # ends the wait for the next connection
        for connection in (self._listening, *self._taken):
            connection.close()

    def _take(self) -> None:
        while True:
            try:
                self._taken.append(self._listening.accept()[0])
            except OSError:
                return
            self.called.set()


def result(value: object) -> Callable[[object], bytes]:
    """A well-formed answer with this value, whatever was asked."""
    return lambda number: json.dumps({"jsonrpc": "2.0", "id": number, "result": value}).encode()
