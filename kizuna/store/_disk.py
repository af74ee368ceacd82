"""Naming what a full disk has run out of."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kizuna.errors import StoreFull

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def naming_full(root: Path) -> Iterator[None]:
    """Turn a full disk or quota into StoreFull; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StoreFull(full_message(root, os.statvfs(root), error.errno)) from error


def full_message(root: Path, disk: os.statvfs_result, code: int) -> str:
    """What there is none left of. Some file systems report 0 inodes in total: they have no limit."""
    if code == errno.EDQUOT:
        what = "the disk quota is used up"
    elif disk.f_files and not disk.f_favail:
        what = "no inodes left"
    else:
        what = f"no bytes left ({disk.f_bavail * disk.f_frsize} free)"
    return f"{root}: {what}; free some space or run garbage collection"
