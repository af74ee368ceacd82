"""Fetching verified content from many trustless gateways. Source: https://specs.ipfs.tech/http-gateways/."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kizuna.errors import ContentMissing
from kizuna.store import unixfs
from kizuna.store._session import Session, Source
from kizuna.store.blocks import Blocks, Limits
from kizuna.store.cid import Cid
from kizuna.store.sources import Fault, Patience, check_source

_FAULTS_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """How much was read, counting every block of a DAG once, those that were here already included."""

    total_bytes: int
    total_blocks: int


class Fetcher:
    """Fetches into a block store from sources nobody trusts.

    Every block is hashed when it arrives. A source that is dead, silent, slow or lying costs time only: the next one
    is asked, and `faults` says what each did. One that served wrong bytes is never asked again. Calls block, end
    within `patience.total_s` seconds, and may come from several threads.
    """

    def __init__(
        self, blocks: Blocks, sources: Sequence[str], limits: Limits, *, patience: Patience | None = None
    ) -> None:
        self.blocks, self.limits, self.patience = blocks, limits, patience or Patience()
        self._sources = [Source(url) for url in dict.fromkeys(map(check_source, sources))]
        self._faults: list[Fault] = []
        self.spent = Fetched(0, 0)  # by all calls so far, failed ones included

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What sources did wrong, oldest first."""
        return tuple(self._faults)

    @property
    def barred(self) -> tuple[str, ...]:
        """Sources that served wrong bytes."""
        return tuple(source.url for source in self._sources if source.barred)

    def fetch_dag(self, cid: Cid, limits: Limits | None = None) -> Fetched:
        """Fetch everything below an id that is not here yet.

        Raises BlocksMissing (a ContentMissing) listing what no source served, LimitExceeded, ContentMalformed,
        StoreFull. What did arrive stays, so that the next call goes on from there.
        """
        return self._run(cid, limits or self.limits, recursive=True)

    def fetch_block(self, cid: Cid, limits: Limits | None = None) -> bytes:
        """One verified block; raises as `fetch_dag`."""
        self._run(cid, limits or self.limits, recursive=False)
        block = self.blocks.get(cid)
        if block is None:
            raise ContentMissing(f"{cid} was removed while it was fetched")
        return block

    def fetch_file(self, cid: Cid, max_bytes: int) -> bytes:
        """The content of a UnixFS file of at most so many bytes; raises as `fetch_dag`."""
        self._run(cid, self.limits, recursive=False)
        unixfs.cat(self.blocks, cid, Limits(max_bytes=max_bytes))  # what the root claims, before its chunks are fetched
        nodes = max_bytes // 64 + 64 * 1024  # inner nodes take 60 bytes a chunk
        self._run(cid, replace(self.limits, max_bytes=max_bytes + nodes), recursive=True)
        return unixfs.read(self.blocks, cid, max_bytes=max_bytes)

    def _run(self, cid: Cid, limits: Limits, *, recursive: bool) -> Fetched:
        outcome: list[Fetched | BaseException] = []

        async def session() -> Fetched:
            state = Session(self.blocks, self._sources, limits, self.patience)
            try:
                await state.run(cid, recursive=recursive)
            finally:
                self._faults = [*self._faults, *state.faults][-_FAULTS_KEPT:]
                spent = Fetched(state.total_bytes, state.total_blocks)
                self.spent = Fetched(
                    self.spent.total_bytes + spent.total_bytes, self.spent.total_blocks + spent.total_blocks
                )
            return spent

        def work() -> None:
            try:
                outcome.append(asyncio.run(session()))
            except BaseException as error:  # raised again in the caller's thread
                outcome.append(error)

        # A thread of its own: the caller may be inside an event loop.
        thread = threading.Thread(target=work, name="kizuna-fetch", daemon=True)
        thread.start()
        thread.join()
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]
