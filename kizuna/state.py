"""The folder in which a process keeps what it must not forget, such as what it has signed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kizuna.durable import write_whole
from kizuna.errors import ConfigError

_LOCK, _OPERATOR = ".in-use", "operator"


@contextmanager
def hold(folder: Path, *, operator: str = "") -> Iterator[None]:
    """Makes a state folder and keeps other processes out of it, and for ever other operators. Raises ConfigError.

    With another operator's drafts and ballots a node would commit to work that is not its own, and be slashed for it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, thread_local=False)
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"--state {folder}: another process is using it: give each one a folder of its own") from None
    except OSError as error:
        raise ConfigError(f"--state {folder}: {error.strerror}: name a folder that can be written to") from None
    try:
        if operator:
            _bind(folder, operator)
        yield
    finally:
        lock.release()


def _bind(folder: Path, operator: str) -> None:
    path = folder / _OPERATOR
    if not path.exists():
        write_whole(path, operator.encode())
    if (found := path.read_text(errors="replace")) != operator:
        raise ConfigError(f"--state {folder}: belongs to {found[:42]}, not to {operator}: name another folder")
