"""A mirror: a gateway that pulls and pins content when an operator's key asks for it.

Trainers push to mirrors so that a verifier need not contact the one it examines (docs/protocol.md). Pins go under
`<address>/<label>`, so no operator can touch another's, and nothing is let go of on request.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kizuna.errors import ConfigError, KizunaError, StoreError
from kizuna.store._pulls import MAX_BODY_BYTES, PullRequest, PullState, Signer, Wanted, parse_request
from kizuna.store.blocks import Limits
from kizuna.store.cid import Cid
from kizuna.store.client import Fetcher
from kizuna.store.pins import Pins
from kizuna.store.sources import Patience, check_source
from kizuna.types import Address

__all__ = ["Authorize", "Mirror", "PullRefused", "PullRequest", "PullState", "Wanted", "request_pull"]

Authorize = Callable[[Address, Mapping[str, Any]], bool]
"""Whether an account may have this pulled, given the request's cids, source, label and counter. May ask the chain."""

_STATES_KEPT = 4096


class PullRefused(StoreError):
    """A mirror does not take a request; `status` is that of its HTTP answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"pull refused: {text}")
        self.status, self.text = status, text


class Mirror:
    """The pulling half of a mirror; hand its `routes` to a `Gateway` over the same blocks.

    `limits` bound one request as a whole, `max_pending_each` the requests of one operator that are under way: a slow
    source must not keep the others out. Counters are kept in the SQLite file `state`. `on_held` is told of every root
    that was pinned, before the operator is; it may neither wait nor raise.
    """

    def __init__(
        self,
        pins: Pins,
        state: Path,
        *,
        authorize: Authorize,
        limits: Limits,
        patience: Patience | None = None,
        on_held: Callable[[Wanted], object] | None = None,
        respond_within_s: float = 20.0,
        workers: int = 8,
        max_pending_each: int = 2,
        max_pending: int = 64,
    ) -> None:
        self._pins, self._authorize, self._limits, self._patience = pins, authorize, limits, patience or Patience()
        self._on_held, self._respond_within_s = on_held, respond_within_s
        self._max_pending_each, self._max_pending = max_pending_each, max_pending
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="kizuna-pull")
        self._lock = threading.Lock()
        self._counters = _Counters(state)
        self._pulls: OrderedDict[str, Future[PullState]] = OrderedDict()
        self._pending: Counter[Address] = Counter()

    @property
    def routes(self) -> list[Route]:
        return [Route("/pull", self._post, methods=["POST"]), Route("/pull/{id}", self._get, methods=["GET"])]

    def close(self) -> None:
        """Take no more requests; pulls that have not begun are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._counters.close()

    async def _post(self, request: Request) -> Response:
        try:
            body = bytearray()
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise PullRefused(413, f"larger than {MAX_BODY_BYTES} bytes")
            pull = await run_in_threadpool(self.submit, bytes(body))
        except PullRefused as error:
            return JSONResponse({"error": error.text}, error.status)
        return await self._state(pull.id)

    async def _get(self, request: Request) -> Response:
        return await self._state(request.path_params["id"])

    async def _state(self, pull_id: str) -> Response:
        """Wait a bounded time for a pull: 200 when it is done, 202 when it is not, 404 if there is none."""
        with self._lock:
            future = self._pulls.get(pull_id)
        if future is None:
            return JSONResponse({"error": "no such pull"}, 404)
        waited = asyncio.wrap_future(future)
        # Not cancelled when the wait ends: the pull goes on.
        done, _ = await asyncio.wait({waited}, timeout=self._respond_within_s)
        if not done:
            return JSONResponse(PullState(pull_id, "pulling").to_json(), 202)
        return JSONResponse(waited.result().to_json(), 200)

    def submit(self, body: bytes) -> PullRequest:
        """Check a request and queue it; raises PullRefused. The same request again is the same pull."""
        try:
            request, sender = parse_request(body)
        except StoreError as error:
            raise PullRefused(400, str(error)) from None
        with self._lock:
            if request.id in self._pulls:
                return request
        if not self._authorize(sender, _shown(request)):
            raise PullRefused(403, f"{sender} may not have this pulled here")
        with self._lock:
            if request.id not in self._pulls:
                self._queue(request, sender)
        return request

    def _queue(self, request: PullRequest, sender: Address) -> None:
        if self._pending[sender] >= self._max_pending_each or self._pending.total() >= self._max_pending:
            raise PullRefused(429, "too many pulls under way; ask again later")
        if not self._counters.raise_to(sender, request.counter):
            raise PullRefused(409, "counter is not above that of the last request")
        self._pending[sender] += 1
        self._pulls[request.id] = self._pool.submit(self._pull, request, sender)
        while len(self._pulls) > _STATES_KEPT:
            self._pulls.popitem(last=False)

    def _pull(self, request: PullRequest, sender: Address) -> PullState:
        try:
            return self._fetch_and_pin(request, sender)
        finally:
            with self._lock:
                self._pending[sender] -= 1
                if not self._pending[sender]:
                    del self._pending[sender]

    def _fetch_and_pin(self, request: PullRequest, sender: Address) -> PullState:
        """Pull root after root; limits and time are those of the request as a whole."""
        fetcher = Fetcher(self._pins.blocks, [request.source], self._limits, patience=self._patience)
        deadline = time.monotonic() + self._patience.total_s
        held: list[Cid] = []
        failed: list[tuple[Cid, str]] = []
        for want in request.cids:
            fetcher.patience = replace(self._patience, total_s=max(0.0, deadline - time.monotonic()))
            try:
                self._take(fetcher, want)
                label = f"{sender}/{request.label}"
                self._pins.pin(want.cid, label, recursive=want.recursive, limits=self._limits)
                if self._on_held is not None:
                    self._on_held(want)
                held.append(want.cid)
            except (KizunaError, OSError) as error:  # of this root; the others may still be had
                failed.append((want.cid, f"{type(error).__name__}: {error}"[:500]))
        return PullState(request.id, "failed" if failed else "held", tuple(held), tuple(failed))

    def _take(self, fetcher: Fetcher, want: Wanted) -> None:
        left = replace(
            self._limits,
            max_bytes=self._limits.max_bytes - fetcher.spent.total_bytes,
            max_blocks=self._limits.max_blocks - fetcher.spent.total_blocks,
        )
        if want.recursive:
            fetcher.fetch_dag(want.cid, left)
        else:
            fetcher.fetch_block(want.cid, left)


def _shown(request: PullRequest) -> dict[str, Any]:
    cids = [{"cid": str(want.cid), "recursive": want.recursive} for want in request.cids]
    return {"cids": cids, "source": request.source, "label": request.label, "counter": request.counter}


class _Counters:
    """The last counter of each account; survives a restart, or an old request could be sent again."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            self._db.execute("CREATE TABLE IF NOT EXISTS counters (address TEXT PRIMARY KEY, counter INTEGER NOT NULL)")
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"{path} is no usable list of counters ({error}): move it away") from None

    def raise_to(self, address: Address, counter: int) -> bool:
        """Record a counter; False, and nothing recorded, if it is not above the last one."""
        changed = self._db.execute(
            "INSERT INTO counters VALUES (?, ?) "
            "ON CONFLICT DO UPDATE SET counter = excluded.counter WHERE excluded.counter > counter",
            (address, counter),
        )
        return changed.rowcount == 1

    def close(self) -> None:
        self._db.close()


def request_pull(
    url: str,
    account: Signer,
    *,
    cids: Sequence[Wanted | Cid],
    source: str,
    label: str,
    counter: int | None = None,
    wait_s: float = 120.0,
) -> PullState:
    """Ask a mirror to pull content from a source and pin it; waits for the outcome up to `wait_s` seconds.

    A Cid alone means everything below it. Without a counter the clock gives one (nanoseconds); an operator that asks
    one mirror from several machines passes its own. Returns a state that is not `done` if the time is up: call again
    with the same arguments, counter included, to wait on. Raises PullRefused, StoreError if the mirror cannot be
    reached or answers with something else.
    """
    wanted = tuple(item if isinstance(item, Wanted) else Wanted(item) for item in cids)
    request = PullRequest(wanted, check_source(source), label, counter or time.time_ns())
    deadline = time.monotonic() + wait_s
    mirror, state = check_source(url), PullState(request.id, "pulling")
    timeout = httpx.Timeout(min(wait_s, 60.0), connect=min(wait_s, 10.0))
    with httpx.Client(timeout=timeout, trust_env=False, verify=mirror.startswith("https:")) as client:
        try:
            state = _read_state(client, "POST", f"{mirror}/pull", request.signed_by(account))
            while not state.done and time.monotonic() < deadline:
                # The mirror holds its answer back until the pull is done or some seconds have passed.
                state = _read_state(client, "GET", f"{mirror}/pull/{request.id}")
        except httpx.TimeoutException:
            if time.monotonic() < deadline:
                raise StoreError(f"mirror {mirror} does not answer") from None
        except httpx.HTTPError as error:
            raise StoreError(f"mirror {mirror} cannot be asked ({type(error).__name__})") from None
    return state


def _read_state(client: httpx.Client, method: str, url: str, body: bytes | None = None) -> PullState:
    with client.stream(method, url, content=body, headers={"Accept-Encoding": "identity"}) as response:
        data = bytearray()
        for part in response.iter_raw():
            data += part
            if len(data) > 4 * MAX_BODY_BYTES:
                raise StoreError(f"{url} answers with too much")
        if response.status_code not in (200, 202):
            raise PullRefused(response.status_code, ascii(data[:300].decode(errors="replace")))
    return PullState.parse(bytes(data))
