"""Serving a block store by the IPFS trustless gateway protocol.

Source: https://specs.ipfs.tech/http-gateways/trustless-gateway/. Only what the store holds and verifies is served, as
raw blocks or as CARv1 (depth first, each block once); the gateway fetches nothing on request.
"""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Send

from kizuna.errors import ContentMalformed, LimitExceeded, StoreError
from kizuna.store import _dagpb, car, dag
from kizuna.store._negotiate import (
    BadRequest,
    Format,
    Scope,
    Span,
    byte_range,
    choose_format,
    choose_scope,
    matches,
)
from kizuna.store.blocks import BlocksMissing, BlockSource
from kizuna.store.cid import DAG_PB, Cid

_MAX_VISITS = 65_536  # a file of shared nodes can unfold without end
_RAW_TYPE = "application/vnd.ipld.raw"
_CAR_TYPE = "application/vnd.ipld.car; version=1; order=dfs; dups=n"


class Gateway:
    """An HTTP server in a background thread with an event loop of its own.

    Port 0 takes a free one; `url` says which. At most `max_connections` are served at a time, others get 503. `routes`
    adds others, as those of a `Mirror`. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        blocks: BlockSource,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_connections: int = 256,
        routes: Sequence[BaseRoute] = (),
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=max_connections)
        # Connections inherit it. [Without it, head and body of an answer wait 40 ms for each other.]
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            gateway_app(blocks, routes),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=max_connections,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        # The socket listens already: requests wait in its backlog until the loop runs.
        self._thread = threading.Thread(target=self._serve, name="kizuna-gateway", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def close(self) -> None:
        """Stop serving; open answers get a second to finish."""
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def gateway_app(blocks: BlockSource, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The ASGI application, for servers that bring their own loop."""

    def ipfs(request: Request) -> Response:
        try:
            return _answer(blocks, request)
        except BadRequest as error:
            return PlainTextResponse(error.text + "\n", error.status, {"X-Content-Type-Options": "nosniff"})

    def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})

    own = [Route("/ipfs/{cid}", ipfs, methods=["GET"]), Route("/healthz", healthz, methods=["GET"])]
    return Starlette(routes=[*own, *routes])


def _answer(blocks: BlockSource, request: Request) -> Response:
    try:
        cid = Cid.parse(request.path_params["cid"])
    except ContentMalformed as error:
        raise BadRequest(400, str(error)) from None
    form = choose_format(request.query_params, request.headers.get("accept", ""))
    scope, span = choose_scope(request.query_params) if form is Format.CAR else (Scope.BLOCK, None)
    block = blocks.get(cid)
    if block is None:  # before any 304: a client must learn that it is gone
        raise BadRequest(404, f"{cid} is not held here")
    headers = _headers(cid, form, f"{scope}:{span}")
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if form is Format.RAW:
        return _raw(block, request, headers)
    return _car(blocks, cid, request, headers, _blocks_in(blocks, cid, block, scope, span))


def _headers(cid: Cid, form: Format, selection: str) -> dict[str, str]:
    etag = (
        f'"{cid}.raw"' if form is Format.RAW else f'W/"{cid}.car.{hashlib.sha256(selection.encode()).hexdigest()[:16]}"'
    )
    return {
        "Content-Type": _RAW_TYPE if form is Format.RAW else _CAR_TYPE,
        "ETag": etag,
        "Cache-Control": "public, max-age=29030400, immutable",
        "Content-Disposition": f'attachment; filename="{cid}.{"bin" if form is Format.RAW else "car"}"',
        "X-Content-Type-Options": "nosniff",
        "X-Ipfs-Path": f"/ipfs/{cid}",
        "X-Ipfs-Roots": str(cid),
        "Vary": "Accept",
    }


def _raw(block: bytes, request: Request, headers: dict[str, str]) -> Response:
    headers["Accept-Ranges"] = "bytes"
    asked = request.headers.get("range") if request.method == "GET" else None
    if request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        asked = None
    try:
        part = byte_range(asked, len(block))
    except BadRequest as error:
        outside = {"Content-Range": f"bytes */{len(block)}", "X-Content-Type-Options": "nosniff"}
        return PlainTextResponse(error.text + "\n", 416, outside)
    if part is None:
        return Response(block, headers=headers)
    first, last = part
    headers["Content-Range"] = f"bytes {first}-{last}/{len(block)}"
    return Response(block[first : last + 1], 206, headers)


def _car(
    blocks: BlockSource, cid: Cid, request: Request, headers: dict[str, str], content: Iterator[tuple[Cid, bytes]]
) -> Response:
    headers["Accept-Ranges"] = "none"
    if request.method == "HEAD":
        response = Response(headers=headers)
        del response.headers["content-length"]  # unknown until it has been walked
        return response
    return _CarResponse(car.write(cid, content), headers=headers)


class _CarResponse(StreamingResponse):
    """Breaks the connection off when a block turns out to be absent: a shorter archive would look whole."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except StoreError:
            return  # without the last message, so that the server closes the connection


def _blocks_in(
    blocks: BlockSource, root: Cid, block: bytes, scope: Scope, span: Span | None
) -> Iterator[tuple[Cid, bytes]]:
    """The blocks of an archive in order; raises StoreError in the middle for one that is absent or malformed."""
    try:
        node = _dagpb.parse(block) if root.codec == DAG_PB and scope is Scope.ENTITY else None
    except ContentMalformed as error:
        raise BadRequest(400, str(error)) from None
    if isinstance(node, _dagpb.FileNode) and span is not None:
        first, last = span.within(node.size)
        return _file_part(blocks, root, first, last)
    if scope is Scope.ALL or isinstance(node, _dagpb.FileNode):
        return _present(dag.walk(blocks, root))
    return iter([(root, block)])


def _present(walked: Iterator[tuple[Cid, bytes | None]]) -> Iterator[tuple[Cid, bytes]]:
    for cid, block in walked:
        if block is None:
            raise BlocksMissing([cid])
        yield cid, block


def _file_part(blocks: BlockSource, root: Cid, first: int, last: int) -> Iterator[tuple[Cid, bytes]]:
    """The blocks of a file that hold its bytes first to last, and those above them, each once."""
    pending, sent, visits = [(root, 0)], set[Cid](), 0
    while pending:
        visits += 1
        if visits > _MAX_VISITS:
            raise LimitExceeded(f"{root} unfolds to more than {_MAX_VISITS} blocks")
        cid, start = pending.pop()
        block = blocks.get(cid)
        if block is None:
            raise BlocksMissing([cid])
        if cid not in sent:
            sent.add(cid)
            yield cid, block
        node = _dagpb.parse(block) if cid.codec == DAG_PB else None
        if not isinstance(node, _dagpb.FileNode):
            continue
        inside = []
        for link, size in zip(node.links, node.sizes, strict=True):
            if start <= last and start + size > first:
                inside.append((link.cid, start))
            start += size
        pending += reversed(inside)
