"""The calls of Kubo's RPC that Kizuna makes, over a block store of ours. Answers are worded as those of Kubo 0.43.

https://docs.ipfs.tech/reference/kubo/rpc/
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kizuna.store import DAG_CBOR, DAG_PB, MAX_BLOCK_BYTES, RAW, Blocks, Cid, dag

CODECS = {"raw": RAW, "dag-pb": DAG_PB, "dag-cbor": DAG_CBOR}
VERSION = {"Version": "0.43.1", "Commit": "", "Repo": "18", "System": "amd64/linux", "Golang": "go1.26.8"}
Answer = tuple[int, dict[str, Any] | bytes]


class Refused(Exception):
    """What Kubo answers with status 500."""


@dataclass
class Call:
    """One request as it came over the wire."""

    command: str
    options: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Rpc:
    """The node: its blocks, its pins by id, the calls so far. `script` may answer a call in its place."""

    blocks: Blocks
    pins: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    script: Callable[[Call], Answer | None] = lambda call: None

    def answer(self, call: Call) -> Answer:
        self.calls.append(call)
        scripted = self.script(call)
        if scripted is not None:
            return scripted
        method = getattr(self, call.command.replace("/", "_"), None)
        if method is None:
            return 404, b"404 page not found\n"
        try:
            return 200, method(call)
        except Refused as refusal:
            return 500, {"Message": str(refusal), "Code": 0, "Type": "error"}

    def version(self, call: Call) -> dict[str, Any]:
        return VERSION

    def block_put(self, call: Call) -> dict[str, Any]:
        block = only_file(call)
        if len(block) > MAX_BLOCK_BYTES and call.options.get("allow-big-block") != "true":
            raise Refused("produced block is over 2MiB: big blocks can't be exchanged with other peers.")
        cid = Cid.of(block, CODECS[call.options.get("cid-codec", "raw")])
        self.blocks.put(cid, block)
        return {"Key": str(cid), "Size": len(block)}

    def block_stat(self, call: Call) -> dict[str, Any]:
        return {"Key": call.options["arg"], "Size": len(self._block(call))}

    def block_get(self, call: Call) -> bytes:
        return self._block(call)

    def pin_add(self, call: Call) -> dict[str, Any]:
        cid, recursive = Cid.parse(call.options["arg"]), call.options.get("recursive", "true").lower() == "true"
        for part in dag.missing(self.blocks, cid) if recursive else [] if self.blocks.has(cid) else [cid]:
            raise Refused(f"pin: block was not found locally (offline): ipld: could not find {part}")
        self.pins[str(cid)] = "recursive" if recursive else "direct"
        return {"Pins": [str(cid)]}

    def pin_ls(self, call: Call) -> dict[str, Any]:
        arg, kind = call.options["arg"], call.options["type"]
        if self.pins.get(arg) != kind:
            raise Refused(f"path '{arg}' is not pinned")
        return {"Keys": {arg: {"Type": kind, "Name": ""}}}

    def pin_rm(self, call: Call) -> dict[str, Any]:
        if self.pins.pop(call.options["arg"], None) is None:
            raise Refused("not pinned or pinned indirectly")
        return {"Pins": [call.options["arg"]]}

    def _block(self, call: Call) -> bytes:
        # Without `offline` Kubo would look for the block in the network, for minutes.
        assert call.options["offline"] == "true"
        block = self.blocks.get(Cid.parse(call.options["arg"]))
        if block is None:
            raise Refused(f"block was not found locally (offline): ipld: could not find {call.options['arg']}")
        return block


def only_file(call: Call) -> bytes:
    """The one file of a multipart/form-data body (RFC 7578), read strictly."""
    given = re.fullmatch(
        r'multipart/form-data; boundary="?([0-9A-Za-z\'()+_,./:=?-]{1,70})"?', call.headers["content-type"]
    )
    assert given, call.headers["content-type"]
    boundary = given[1].encode()
    opening, closing = b"--" + boundary + b"\r\n", b"\r\n--" + boundary + b"--\r\n"
    assert call.body.startswith(opening) and call.body.endswith(closing)
    head, blank, content = call.body.removeprefix(opening).removesuffix(closing).partition(b"\r\n\r\n")
    assert blank and (b"\r\n--" + boundary) not in content
    fields = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n"))
    assert re.match(r'form-data; name="file[^"]*"; filename="[^"]*"', fields["Content-Disposition"])
    return content


class KuboRpc:
    """A server of `Rpc` on this machine; `address` is the multiaddress that Kubo would print."""

    def __init__(self, blocks: Blocks) -> None:
        self.node = node = Rpc(blocks)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                parts = urlsplit(self.path)
                options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                call = Call(parts.path.removeprefix("/api/v0/"), options, headers, self._body())
                status, answer = node.answer(call)
                self._send(status, answer)

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = bytearray()
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return bytes(body)

            def _send(self, status: int, answer: dict[str, Any] | bytes) -> None:
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain" if isinstance(answer, bytes) else "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"/ip4/127.0.0.1/tcp/{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
