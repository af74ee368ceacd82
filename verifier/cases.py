"""Contributions as cases to examine: where their bytes are looked for, and for how long."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kizuna.chain.client import Pinned
from kizuna.chain.history import Roots
from kizuna.errors import ContentMalformed, StoreError
from kizuna.node.agent import Node
from kizuna.node.contribution import Contribution, fetch
from kizuna.node.task_context import MAX_GENESIS
from kizuna.node.versions import Version
from kizuna.rl.config import RoundConfig
from kizuna.store import DAG_CBOR, Blocks, Cid, FaultKind, Fetcher, FlatFs, MemoryBlocks, Patience
from kizuna.store.sources import check_source
from kizuna.types import ZERO_DIGEST, Finding, Role
from verifier.checks import Case

SHORT = Patience(connect_s=2.0, hedge_s=1.0, stall_s=4.0, total_s=6.0)
"""One look. What is not served within it is looked for again later: what did arrive stays."""

URLS_BLOCKS = 4
"""Blocks after which addresses are looked up again: a trainer that was restarted may serve elsewhere."""


@dataclass(slots=True)
class Cases:
    """The contributions of the rounds that are open now. What was read whole is not read again."""

    node: Node
    _roots: dict[int, dict[int, Roots]] = field(default_factory=dict)
    _read: dict[tuple[int, int], Contribution] = field(default_factory=dict)
    _last: tuple[tuple[int, int, tuple[str, ...]], Case] | None = None  # with the boundaries that it has read
    _urls: dict[int, str] = field(default_factory=dict)
    _urls_block: int = -URLS_BLOCKS

    def of(self, chain: Pinned, round: int, slot: int, *, endpoint: bool = False) -> Case | Finding:
        """A slot's contribution, or the fault that it has as a whole.

        Looks at the mirrors that the task names, with `endpoint` also at what the trainer itself serves. Raises
        StoreError where the round's base cannot be had, ChainError.
        """
        base, config = self._rules(chain, round, slot)
        sources = (*self.node.mirrors, *self._endpoint(chain, slot)) if endpoint else self.mirrors
        key = (round, slot, sources)
        if self._last is not None and self._last[0] == key and self._last[1].config == config:
            return self._last[1]
        fetcher = Fetcher(self.node.blocks, sources, MAX_GENESIS, patience=SHORT)
        found = self._read.get((round, slot))
        if found is None or found.manifest.base != base.digest:
            fresh = self._fetch(chain, round, slot, config, self.node.blocks, fetcher)
            if isinstance(fresh, Finding):
                return fresh
            self._read[round, slot] = found = fresh
        case = Case(self.node.context, config, found, base, self.node.blocks, fetcher)
        self._last = key, case
        return case

    @contextmanager
    def as_mirrored(self, chain: Pinned, round: int, slot: int) -> Iterator[Case | Finding]:
        """A slot's contribution as the mirrors alone serve it now, whatever this node holds itself."""
        base, config = self._rules(chain, round, slot)
        with tempfile.TemporaryDirectory(dir=self.node.options.state, prefix="mirrored-") as folder:
            blocks = FlatFs(Path(folder) / "blocks")
            try:
                fetcher = Fetcher(blocks, self.mirrors, MAX_GENESIS, patience=SHORT)
                found = self._fetch(chain, round, slot, config, blocks, fetcher)
                if isinstance(found, Finding):
                    yield found
                else:
                    yield Case(self.node.context, config, found, base, blocks, fetcher)
            finally:
                blocks.close()

    def mirrors_answer(self) -> bool:
        """Whether a named mirror can be reached at all: if none can, what is not served is nobody's fault."""
        fetcher = Fetcher(MemoryBlocks(), self.mirrors, MAX_GENESIS, patience=SHORT)
        try:
            fetcher.fetch_block(Cid(self.node.params.spec, DAG_CBOR))
        except StoreError:
            return any(fault.kind is FaultKind.ABSENT for fault in fetcher.faults)
        return True

    @property
    def mirrors(self) -> tuple[str, ...]:
        """The mirrors that the task names: on what they serve everybody has to agree."""
        return self.node.context.spec.mirrors or self.node.mirrors

    def roots(self, chain: Pinned, round: int) -> dict[int, Roots]:
        """What was committed, by slot. For rounds whose commitments are complete."""
        if round not in self._roots:
            self._roots[round] = chain.commitments(self.node.task, round)
        return self._roots[round]

    def forget(self, settled: int) -> None:
        """Drops what belongs to settled rounds."""
        self._last = None
        for round in [round for round in self._roots if round <= settled]:
            del self._roots[round]
        for key in [key for key in self._read if key[0] <= settled]:
            del self._read[key]

    def _rules(self, chain: Pinned, round: int, slot: int) -> tuple[Version, RoundConfig]:
        base = self.node.versions.base_of(chain, round)
        seed = chain.round(self.node.task, round).seed
        if seed == ZERO_DIGEST:
            raise ContentMalformed(f"round {round} has no seed yet")
        return base, self.node.context.config(round=round, slot=slot, base=base.digest, seed=seed)

    def _fetch(
        self, chain: Pinned, round: int, slot: int, config: RoundConfig, blocks: Blocks, fetcher: Fetcher
    ) -> Contribution | Finding:
        where = chain.deployment
        return fetch(
            self.node.context,
            blocks,
            fetcher,
            self.roots(chain, round)[slot],
            config,
            chain=where.chain_id,
            rounds=bytes.fromhex(where.rounds[2:]),
        )

    def _endpoint(self, chain: Pinned, slot: int) -> tuple[str, ...]:
        """The slot's own address, if it is one at all: it is text that a stranger wrote."""
        now = chain.block.number
        if now >= self._urls_block + URLS_BLOCKS:
            announced = chain.endpoints(self.node.task)
            self._urls = {p: url for (role, p), url in announced.items() if role is Role.TRAINER}
            self._urls_block = now
        try:
            return (check_source(self._urls.get(slot, "")),)
        except StoreError:
            return ()
