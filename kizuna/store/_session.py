"""One fetch of one DAG from many sources at once.

Every source has a few workers. A worker takes the first block that nobody is fetching; when there is none it asks
again for one that has been in flight for too long. The first verified answer wins and the other requests for the block
are dropped. Nothing but verified blocks is ever stored, followed or counted.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import httpx

from kizuna.errors import LimitExceeded
from kizuna.store import dag
from kizuna.store.blocks import MAX_BLOCK_BYTES, Blocks, BlocksMissing, Limits
from kizuna.store.cid import Cid
from kizuna.store.sources import Fault, FaultKind, Patience

_STRIKES = 3  # failures without one success, after which a source only gets what the others failed to deliver
_BACKOFF_S = (0.25, 0.5, 1.0, 2.0, 4.0)
_HEADERS = {"Accept": "application/vnd.ipld.raw", "Accept-Encoding": "identity", "User-Agent": "kizuna"}


@dataclass(slots=True)
class Source:
    """What a fetcher remembers of one source between calls."""

    url: str
    barred: bool = False
    strikes: int = 0
    served: int = 0
    mean_s: float = 0.0  # time of a block, smoothed
    refusals: int = 0  # connections refused in a row

    @property
    def demoted(self) -> bool:
        return self.strikes >= _STRIKES

    def delivered(self, seconds: float) -> None:
        self.mean_s = seconds if not self.served else 0.8 * self.mean_s + 0.2 * seconds
        self.served += 1
        self.strikes = self.refusals = 0


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)  # takes tens of milliseconds


class _Failed(Exception):
    """A source did not deliver a block."""

    def __init__(self, kind: FaultKind, detail: str = "") -> None:
        super().__init__(kind)
        self.kind, self.detail = kind, detail


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[bytes]
    started: float
    received: int = 0


@dataclass(slots=True)
class _Want:
    depth: int
    failed: set[str] = field(default_factory=set)
    flights: dict[str, _Flight] = field(default_factory=dict)


class Session:
    """The state of one fetch; lives in one event loop."""

    def __init__(self, blocks: Blocks, sources: list[Source], limits: Limits, patience: Patience) -> None:
        self.blocks, self.limits, self.patience = blocks, limits, patience
        self.sources = [source for source in sources if not source.barred]
        for source in self.sources:
            source.refusals = 0
        self.faults: list[Fault] = []
        self.total_bytes = self.total_blocks = 0
        self._wants: dict[Cid, _Want] = {}
        self._seen: set[Cid] = set()
        self._busy = 0  # workers that hold a block or are asking for one
        self._bell = asyncio.Event()
        self._over = asyncio.Event()
        self._error: BaseException | None = None

    async def run(self, root: Cid, *, recursive: bool) -> None:
        """Fetch a block, or a DAG; raises BlocksMissing, LimitExceeded, ContentMalformed, StoreFull."""
        self._recursive = recursive
        self._discover([(root, 0)])
        why = "" if self.sources else "no usable source"
        if self._wants and self.sources:
            try:
                async with asyncio.timeout(self.patience.total_s):
                    await self._work_all()
            except TimeoutError:
                why = f"not served within {self.patience.total_s:g} s"
        if self._error is not None:
            raise self._error
        if self._wants:
            raise BlocksMissing(list(self._wants), "; ".join(filter(None, [why, *self._excuses()])))

    async def _work_all(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        timeout = httpx.Timeout(self.patience.stall_s, connect=self.patience.connect_s, pool=None)
        secure = any(source.url.startswith("https:") for source in self.sources)
        verify = _tls() if secure else False
        async with httpx.AsyncClient(
            headers=_HEADERS, limits=limits, timeout=timeout, verify=verify, trust_env=False, follow_redirects=False
        ) as client:
            per_source = self.patience.connections
            tasks = [asyncio.create_task(self._worker(client, s)) for s in self.sources for _ in range(per_source)]
            try:
                await self._over.wait()
            finally:
                flights = [flight.task for want in self._wants.values() for flight in want.flights.values()]
                for task in tasks + flights:
                    task.cancel()
                await asyncio.gather(*tasks, *flights, return_exceptions=True)

    async def _worker(self, client: httpx.AsyncClient, source: Source) -> None:
        try:
            while not self._over.is_set() and not source.barred:
                cid, wait_s = self._choose(source)
                if cid is not None:
                    await self._fetch(client, source, cid)
                    self._ring()
                    if source.refusals:
                        self._finish_if_stuck()
                        await asyncio.sleep(_BACKOFF_S[min(source.refusals, len(_BACKOFF_S)) - 1])
                else:
                    await self._rest(wait_s)
            self._finish_if_stuck()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # handed to the caller by `run`
            self._error = self._error or error
            self._over.set()

    async def _rest(self, wait_s: float | None) -> None:
        """Wait for a change, or for the moment when a flight has taken too long."""
        self._finish_if_stuck()
        bell = self._bell
        try:
            async with asyncio.timeout(wait_s):
                await bell.wait()
        except TimeoutError:
            return

    def _finish_if_stuck(self) -> None:
        """End when nothing is in flight and no source could be asked for anything that is left."""
        if not self._busy and not any(self._choose(s)[0] for s in self.sources if not s.barred and not s.refusals):
            self._over.set()

    def _ring(self) -> None:
        self._bell.set()
        self._bell = asyncio.Event()

    def _choose(self, source: Source) -> tuple[Cid | None, float | None]:
        """A block to ask a source for, or how long until there may be one."""
        now, wait_s = asyncio.get_running_loop().time(), None
        healthy = {s.url for s in self.sources if not (s.demoted or s.barred or s.refusals)}
        for cid, want in self._wants.items():
            if source.url in want.failed or source.url in want.flights:
                continue
            if not want.flights and (not source.demoted or healthy <= want.failed):
                return cid, None
            late = self._late(want, now) - now
            if want.flights and late <= 0:
                return cid, None
            wait_s = max(late, 0.01) if wait_s is None else min(wait_s, max(late, 0.01))
        return None, wait_s

    def _late(self, want: _Want, now: float) -> float:
        """When all who are delivering a block are late: thrice what they usually take, so slow is not late."""
        usual = {source.url: source.mean_s for source in self.sources}
        due = (flight.started + max(self.patience.hedge_s, 3 * usual[url]) for url, flight in want.flights.items())
        return max(due, default=now + self.patience.hedge_s)

    async def _fetch(self, client: httpx.AsyncClient, source: Source, cid: Cid) -> None:
        want, loop = self._wants[cid], asyncio.get_running_loop()
        flight = _Flight(asyncio.create_task(asyncio.sleep(0, b"")), loop.time())
        flight.task = asyncio.create_task(self._request(client, source, cid, flight))
        want.flights[source.url] = flight
        self._busy += 1
        self._ring()  # those at rest learn when this one will be late
        try:
            await asyncio.wait({flight.task})
            if flight.task.cancelled():  # somebody else was faster
                self._beaten(source, cid, flight, loop.time())
                return
            block = flight.task.result()
            source.delivered(loop.time() - flight.started)
            await self._deliver(cid, want, block)
        except _Failed as failure:
            self._blame(source, cid, failure)
            if failure.kind is not FaultKind.DEAD:  # it may come back while others are still busy
                want.failed.add(source.url)
        finally:
            want.flights.pop(source.url, None)
            self._busy -= 1

    async def _deliver(self, cid: Cid, want: _Want, block: bytes) -> None:
        if self._wants.pop(cid, None) is None:
            return
        for flight in want.flights.values():
            if not flight.task.done():
                flight.task.cancel()
        children = self._account(cid, block, want.depth)
        await asyncio.to_thread(self.blocks.put, cid, block)
        self._discover(children)

    async def _request(self, client: httpx.AsyncClient, source: Source, cid: Cid, flight: _Flight) -> bytes:
        try:
            async with asyncio.timeout(self.patience.block_s):
                async with client.stream("GET", f"{source.url}/ipfs/{cid}", params={"format": "raw"}) as response:
                    block = await _body(response, flight)
        except TimeoutError:
            raise _Failed(FaultKind.SLOW, f"{flight.received} bytes in {self.patience.block_s:g} s") from None
        except httpx.ConnectError as error:
            raise _Failed(FaultKind.DEAD, type(error).__name__) from None
        except httpx.TimeoutException:
            raise _Failed(FaultKind.SILENT, "no byte in time") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _Failed(FaultKind.BROKEN, type(error).__name__) from None
        if Cid.of(block).digest != cid.digest:
            raise _Failed(FaultKind.LYING, f"{len(block)} bytes that do not hash to {cid}")
        return block

    def _beaten(self, source: Source, cid: Cid, flight: _Flight, now: float) -> None:
        elapsed = now - flight.started
        if elapsed >= self.patience.hedge_s and not source.served:
            kind = FaultKind.SLOW if flight.received else FaultKind.SILENT
            self._blame(source, cid, _Failed(kind, f"{flight.received} bytes in {elapsed:.3g} s"))

    def _blame(self, source: Source, cid: Cid, failure: _Failed) -> None:
        self.faults.append(Fault(source.url, failure.kind, cid, failure.detail))
        if failure.kind is FaultKind.LYING:
            source.barred = True
        elif failure.kind not in (FaultKind.ABSENT, FaultKind.DEAD):  # not having something is no offence
            source.strikes += 1
        source.refusals = source.refusals + 1 if failure.kind is FaultKind.DEAD else 0

    def _discover(self, found: list[tuple[Cid, int]]) -> None:
        """Want what is not here yet, and follow what is."""
        while found:
            cid, depth = found.pop()
            if cid in self._seen:
                continue
            self._seen.add(cid)
            if depth > self.limits.max_depth or len(self._seen) > self.limits.max_blocks:
                raise LimitExceeded(f"more than {self.limits.max_blocks} blocks or {self.limits.max_depth} levels")
            if (block := self.blocks.get(cid)) is None:
                self._wants[cid] = _Want(depth)
            else:
                found += self._account(cid, block, depth)

    def _account(self, cid: Cid, block: bytes, depth: int) -> list[tuple[Cid, int]]:
        self.total_blocks += 1
        self.total_bytes += len(block)
        if self.total_bytes > self.limits.max_bytes:
            raise LimitExceeded(f"more than {self.limits.max_bytes} bytes")
        if not self._recursive:
            return []
        return [(child, depth + 1) for child in reversed(dag.links_of(cid, block))]

    def _excuses(self) -> Iterator[str]:
        last = {(fault.source, fault.kind): fault for fault in self.faults}
        yield from sorted(map(str, last.values()))[:16]


async def _body(response: httpx.Response, flight: _Flight) -> bytes:
    """The body of an answer, never more than a block may have, and never decompressed."""
    if response.status_code in (404, 410):
        raise _Failed(FaultKind.ABSENT)
    if response.status_code != 200:
        raise _Failed(FaultKind.REFUSED, f"HTTP {response.status_code}")
    parts = []
    async for part in response.aiter_raw():
        parts.append(part)
        flight.received += len(part)
        if flight.received > MAX_BLOCK_BYTES:
            raise _Failed(FaultKind.LYING, f"more than {MAX_BLOCK_BYTES} bytes for one block")
    return b"".join(parts)
