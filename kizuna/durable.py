"""Files that are whole or absent, whenever the process is killed or the machine loses its power."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Creates or replaces a file in one step. One process at a time may write it."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)  # left by a crash
    write_synced(partial, data)
    os.replace(partial, path)
    sync_directory(path.parent)


def write_synced(path: Path, data: bytes) -> None:
    """Creates a file that must not exist yet and waits until its bytes are on the disk."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(fd, "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(fd)


def sync_directory(path: Path) -> None:
    """Makes the names in a directory durable. [A crash otherwise leaves a renamed file behind with no bytes.]"""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
