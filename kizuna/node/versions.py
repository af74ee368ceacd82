"""The versions of a task's model, computed here from the chain's bitmaps: nobody's digest is taken on trust."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from kizuna.chain.client import Pinned
from kizuna.chain.history import Roots
from kizuna.chain.structs import positions
from kizuna.errors import ContentMalformed, ContentMissing, StoreError
from kizuna.node.contribution import Contribution, fetch
from kizuna.node.task_context import MAX_GENESIS, TaskContext
from kizuna.rl.config import RoundConfig
from kizuna.shardcast.version import MANIFEST_FILE, Accepted, next_version
from kizuna.store import DAG_PB, Blocks, Cid, Fetcher, Pins, unixfs
from kizuna.types import Digest, Finding, Phase, Role

SOFT = (Phase.CHALLENGE, Phase.FINAL, Phase.VOID)
"""Phases from which a round's bitmap, and so its version, is fixed."""

KEPT = 3
"""Versions that are kept on disk and in memory, the newest ones."""


@dataclass(frozen=True, slots=True)
class Version:
    """The model that a round made: content digest of its directory, the files, and the bitmap it accepted."""

    round: int
    digest: Digest
    files: Mapping[str, bytes]
    accepted: int = 0


class Versions:
    """Follows a task's head. Every version is stored as a UnixFS directory, ready to be served.

    With `pins` the newest versions outlive the process, so that a restart need not begin at the genesis.
    """

    def __init__(self, context: TaskContext, blocks: Blocks, fetcher: Fetcher, pins: Pins | None = None) -> None:
        self.context, self.blocks, self.fetcher, self.pins = context, blocks, fetcher, pins
        self._genesis = Version(0, context.params.genesis, context.genesis)
        self._known = {0: self._genesis}

    def base_of(self, chain: Pinned, round: int) -> Version:
        """What contributions of `round` start from: the version made by the round before.

        Raises ContentMissing where an accepted update cannot be had, ContentMalformed where the round before is not
        soft yet or an accepted update is not what was committed.
        """
        wanted = round - 1
        start = max(known for known in self._known if known <= wanted)
        if not self._stands(chain, self._known[start]):
            self._known = {0: self._genesis}  # the chain was reorganised: it accepted something else after all
            start = 0
        if start == 0:
            start = self._restore(chain, wanted)
        for made in range(start + 1, round):
            self._known[made] = self._next(chain, made, self._known[made - 1])
            self._keep(self._known[made])
        return self._known[wanted]

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
        return Version(round, Digest(unixfs.add_directory(self.blocks, files).digest), files, view.accepted)

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

    # --- keeping ---

    def _stands(self, chain: Pinned, version: Version) -> bool:
        if version.round == 0:
            return True
        view = chain.round(self.context.task, version.round)
        return view.phase in SOFT and view.accepted == version.accepted

    def _keep(self, version: Version) -> None:
        """Keeps the last few versions in memory and pinned."""
        for round in [known for known in self._known if 0 < known <= version.round - KEPT]:
            del self._known[round]
        if self.pins is None:
            return
        self.pins.unpin(self._label(version.round - KEPT))
        self.pins.unpin(self._label(version.round))
        if version.digest != self.context.params.genesis:
            self.pins.pin(Cid(version.digest, DAG_PB), self._label(version.round))

    def _restore(self, chain: Pinned, newest: int) -> int:
        """Takes up the newest version up to `newest` that an earlier run made; its round, 0 if there is none."""
        if self.pins is None:
            return 0
        prefix = self._label(0)[:-1]
        held = {int(p.label.removeprefix(prefix)): p.cid for p in self.pins.roots() if p.label.startswith(prefix)}
        for round in sorted((r for r in held if r <= newest), reverse=True):
            version = self._read(chain, round, held[round])
            if version is not None:
                self._known[round] = version
                return round
            self.pins.unpin(self._label(round))
        return 0

    def _read(self, chain: Pinned, round: int, root: Cid) -> Version | None:
        """A version on disk, unless it is damaged or the chain has accepted something else since."""
        try:
            entries = unixfs.ls(self.blocks, root)
            limit = MAX_GENESIS.max_bytes
            files = {entry.name: unixfs.read(self.blocks, entry.cid, max_bytes=limit) for entry in entries}
        except StoreError:
            return None
        record = json.loads(files[MANIFEST_FILE])
        made = {int(record["round"]): int(record["accepted"], 16)}
        for r in range(int(record["round"]), round + 1):
            view = chain.round(self.context.task, r)
            if view.phase not in SOFT or view.accepted != made.get(r, 0):
                return None
        return Version(round, Digest(root.digest), files, made.get(round, 0))

    def _label(self, round: int) -> str:
        return f"task/{self.context.task}/version/{round}"
