"""Which content a node keeps: roots under labels, and the collection of everything else."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kizuna.errors import ConfigError, StoreError, StoreFull
from kizuna.store import dag
from kizuna.store.blocks import BlocksMissing, Limits
from kizuna.store.cid import RAW, Cid
from kizuna.store.flatfs import FlatFs

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pins (
    label TEXT NOT NULL, cid TEXT NOT NULL, recursive INTEGER NOT NULL, PRIMARY KEY (label, cid)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Pin:
    """A root that is kept under a label, with everything it links to if it is recursive."""

    cid: Cid
    label: str
    recursive: bool = True


@dataclass(frozen=True, slots=True)
class Damage:
    """A pin and its blocks that are absent now, to be fetched again."""

    pin: Pin
    missing: tuple[Cid, ...]


class Pins:
    """The pins of a block store, in an SQLite file. All methods may be called from several threads.

    Raises ConfigError if the file is something else.
    """

    def __init__(self, blocks: FlatFs, path: Path) -> None:
        self.blocks = blocks
        self._path, self._lock = path, threading.RLock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"{path} is no usable list of pins ({error}): move it away") from None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def pin(self, cid: Cid, label: str, *, recursive: bool = True, limits: Limits | None = None) -> None:
        """Keep content; raises BlocksMissing unless all of it is here, LimitExceeded, ContentMalformed."""
        with self._transaction() as db:  # so that no collection runs between the check and the entry
            if absent := self._missing(Pin(cid, label, recursive), limits):
                raise BlocksMissing(absent, f"so it is not pinned as {label!a}")
            # A recursive pin is never weakened by a later one of the root alone.
            db.execute(
                "INSERT INTO pins VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET recursive = max(recursive, excluded.recursive)",
                (label, str(cid), recursive),
            )

    def unpin(self, label: str, cid: Cid | None = None) -> None:
        """Let go of everything under a label, or of one root of it. The blocks stay until `gc`."""
        with self._database() as db:
            db.execute("DELETE FROM pins WHERE label = ? AND ifnull(cid = ?, 1)", (label, cid and str(cid)))

    def roots(self, label: str | None = None) -> tuple[Pin, ...]:
        """All pins, or those under a label."""
        with self._database() as db:
            rows = db.execute(
                "SELECT cid, label, recursive FROM pins WHERE ifnull(label = ?, 1) ORDER BY label, cid", (label,)
            ).fetchall()
        return tuple(Pin(Cid.parse(cid), name, bool(recursive)) for cid, name, recursive in rows)

    def damaged(self) -> tuple[Damage, ...]:
        """Every pin that is no longer whole; reads and hashes everything that is pinned."""
        found = ((pin, self._missing(pin)) for pin in self.roots())
        return tuple(Damage(pin, tuple(absent)) for pin, absent in found if absent)

    def gc(self, *, min_age_s: float = 3600.0, now: float | None = None) -> int:
        """Delete blocks that no pin needs and that were put long enough ago; returns how many.

        `min_age_s` protects what is being fetched or published and will be pinned when it is whole. Nothing is
        deleted while an inner node of a pin is absent, as what it links to is then unknown: raises BlocksMissing.
        """
        now = time.time() if now is None else now
        with self._transaction():
            live = self._live()
            doomed = [cid for cid in map(Cid, self.blocks.digests()) if cid.digest not in live]
            old = [cid for cid in doomed if (self.blocks.age_s(cid, now=now) or 0.0) >= min_age_s]
            for cid in old:
                self.blocks.delete(cid)
            return len(old)

    def _live(self) -> set[bytes]:
        live: set[bytes] = set()
        for pin in self.roots():
            for cid, block in self._blocks_of(pin):
                if block is None and cid.codec != RAW and pin.recursive:
                    raise BlocksMissing([cid], f"pinned as {pin.label!a} under {pin.cid}: fetch it again or unpin")
                live.add(cid.digest)
        return live

    def _blocks_of(self, pin: Pin, limits: Limits | None = None) -> Iterable[tuple[Cid, bytes | None]]:
        if pin.recursive:
            return dag.walk(self.blocks, pin.cid, limits)
        return [(pin.cid, self.blocks.get(pin.cid))]

    def _missing(self, pin: Pin, limits: Limits | None = None) -> list[Cid]:
        return [cid for cid, block in self._blocks_of(pin, limits) if block is None]

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                kind = StoreFull if error.sqlite_errorcode == sqlite3.SQLITE_FULL else StoreError
                raise kind(f"{self._path}: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Exclude other threads and processes until the block ends."""
        with self._database() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
