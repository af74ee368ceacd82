"""The versions of a task's model, computed here from the chain's bitmaps: nobody's digest is taken on trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kizuna.chain.client import Pinned
from kizuna.chain.history import Roots
from kizuna.chain.structs import positions
from kizuna.errors import ContentMalformed, ContentMissing
from kizuna.node.contribution import Contribution, fetch
from kizuna.node.task_context import TaskContext
from kizuna.rl.config import RoundConfig
from kizuna.shardcast.version import Accepted, next_version
from kizuna.store import Blocks, Fetcher, unixfs
from kizuna.types import Digest, Finding, Phase, Role

SOFT = (Phase.CHALLENGE, Phase.FINAL, Phase.VOID)
"""Phases from which a round's bitmap, and so its version, is fixed."""


@dataclass(frozen=True, slots=True)
class Version:
    """The model that a round made: content digest of its directory, and the files."""

    round: int
    digest: Digest
    files: Mapping[str, bytes]


class Versions:
    """Follows a task's head. Every version is stored as a UnixFS directory, ready to be served."""

    def __init__(self, context: TaskContext, blocks: Blocks, fetcher: Fetcher) -> None:
        self.context, self.blocks, self.fetcher = context, blocks, fetcher
        self._known = {0: Version(0, context.params.genesis, context.genesis)}

    def base_of(self, chain: Pinned, round: int) -> Version:
        """What contributions of `round` start from: the version made by the round before.

        Raises ContentMissing where an accepted update cannot be had, ContentMalformed where the round before is not
        soft yet or an accepted update is not what was committed.
        """
        newest = max(known for known in self._known if known < round)
        for made in range(newest + 1, round):
            self._known[made] = self._next(chain, made, self._known[made - 1])
        self._forget(round - 1)
        return self._known[round - 1]

    def contribution(self, chain: Pinned, round: int, slot: int, roots: Roots) -> Contribution | Finding:
        """A committed contribution, fetched and checked as a whole."""
        return self._contribution(chain, round, slot, roots, self.base_of(chain, round).digest)

    def config(self, chain: Pinned, round: int, slot: int) -> RoundConfig:
        """The rules of a slot's round. The round's seed must have been read on chain."""
        base = self.base_of(chain, round).digest
        return self.context.config(round=round, slot=slot, base=base, seed=chain.round(self.context.task, round).seed)

    def _next(self, chain: Pinned, round: int, parent: Version) -> Version:
        task = self.context.task
        view = chain.round(task, round)
        if view.phase not in SOFT:
            raise ContentMalformed(f"round {round} has made no version yet: it is in phase {view.phase.name}")
        if not view.accepted:
            return Version(round, parent.digest, parent.files)
        commitments = chain.commitments(task, round)
        accepted = []
        for slot in positions(view.accepted):
            found = self._contribution(chain, round, slot, commitments[slot], parent.digest)
            if isinstance(found, Finding):
                raise ContentMissing(f"accepted update of round {round}, slot {slot}: {found.reason}: {found.detail}")
            quota = chain.slot(task, Role.TRAINER, slot).quota
            accepted.append(Accepted(slot, quota, found.update))
        files = next_version(
            parent.files,
            accepted,
            task=task,
            round=round,
            bitmap=view.accepted,
            parent_digest=parent.digest,
            rule=self.context.spec.aggregation,
        )
        return Version(round, Digest(unixfs.add_directory(self.blocks, files).digest), files)

    def _contribution(self, chain: Pinned, round: int, slot: int, roots: Roots, base: Digest) -> Contribution | Finding:
        seed = chain.round(self.context.task, round).seed
        config = self.context.config(round=round, slot=slot, base=base, seed=seed)
        where = chain.deployment
        return fetch(
            self.context,
            self.blocks,
            self.fetcher,
            roots,
            config,
            chain=where.chain_id,
            rounds=bytes.fromhex(where.rounds[2:]),
        )

    def _forget(self, newest: int) -> None:
        """Keeps the last few versions in memory; older ones stay in the block store."""
        for round in [known for known in self._known if 0 < known < newest - 2]:
            del self._known[round]
