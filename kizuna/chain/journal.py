"""The one SQLite file of an agent: what it sent, and how far it has read the chain.

Written ahead (WAL, synchronous=FULL): a row is on disk before the bytes it describes leave the process.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kizuna.errors import ConfigError, OutboxBusy

_SCHEMA = """
create table if not exists meta (key text primary key, value text not null);
create table if not exists intents (
    id integer primary key, intent text not null unique, nonce integer unique, target text, data blob not null,
    value text not null, gas integer not null, deadline integer, first_block integer not null,
    state text not null default 'open', receipt text
);
create table if not exists versions (
    hash blob primary key, intent integer not null references intents(id), raw blob not null,
    max_fee text not null, tip text, cancels integer not null default 0
);
create table if not exists blocks (number integer primary key, hash blob not null);
create table if not exists logs (
    block integer not null, idx integer not null, block_hash blob not null, tx blob not null,
    address text not null, topics blob not null, data blob not null, primary key (block, idx)
);
"""


class Journal:
    """Opens, or creates, the file; several threads may share it.

    `path` ":memory:" keeps nothing. Raises ConfigError if the file belongs to another chain or contracts.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self._lock = threading.RLock()
        self._file_lock: FileLock | None = None
        try:
            if self.path != ":memory:":
                Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30.0, check_same_thread=False, isolation_level=None)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"{self.path} is no usable journal ({error}): move it away") from None
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be made: {error.strerror}") from None

    def bind(self, key: str, value: str, what: str) -> None:
        """Ties the file to a fact for ever; raises ConfigError if it is tied to another."""
        with self.writing():
            found = self.one("select value from meta where key = ?", (key,))
            if found is None:
                self.run("insert into meta values (?, ?)", (key, value))
            elif found[0] != value:
                raise ConfigError(f"{self.path} belongs to another {what} ({found[0]}, now {value}): move it away")

    def hold(self) -> None:
        """Becomes the only process that sends from this file. Raises OutboxBusy if there is one."""
        if self.path == ":memory:":
            return
        lock = FileLock(f"{self.path}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise OutboxBusy(f"another process is sending with this key ({self.path}.lock is held)") from None
        self._file_lock = lock

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all of it is on disk afterwards, or nothing."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Executes a statement; the id of the row it inserted."""
        with self._lock:
            return self._db.execute(sql, values).lastrowid or 0

    def one(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        with self._lock:
            row: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
            return row

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        with self._lock:
            self._db.close()
            if self._file_lock is not None:
                self._file_lock.release()
                self._file_lock = None
