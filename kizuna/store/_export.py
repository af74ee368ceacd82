"""Writing a UnixFS file or directory to disk, so that nothing but the destination is ever touched."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from kizuna.errors import ContentMalformed, StoreError
from kizuna.store._dagpb import DirectoryNode
from kizuna.store._disk import naming_full
from kizuna.store._names import check_names
from kizuna.store._reader import Budget, file_chunks, read_node
from kizuna.store.blocks import BlockSource, Limits
from kizuna.store.cid import Cid

MAX_PATH_BYTES = 2048


def export(source: BlockSource, cid: Cid, dest: Path, *, limits: Limits) -> None:
    """Write content under a name that must not exist yet.

    It is built under a temporary name beside `dest` and renamed when it is whole, so a refusal or a crash never
    leaves a partial folder under the final name. Raises ContentMalformed naming the entry (escaped), LimitExceeded,
    BlocksMissing, StoreFull, StoreError if `dest` exists.
    """
    if os.path.lexists(dest):
        raise StoreError(f"{dest} already exists; choose a new name")
    dest.parent.mkdir(parents=True, exist_ok=True)
    temp = dest.parent / f".{dest.name[:64]}.{secrets.token_hex(8)}.partial"
    try:
        with naming_full(dest.parent):
            _write(source, cid, temp, Budget(limits))
        # A rename replaces a file without asking, so look again: the window that is left is the operator's own.
        if os.path.lexists(dest):
            raise StoreError(f"{dest} already exists; choose a new name")
        os.rename(temp, dest)
    finally:
        _remove(temp)


def _write(source: BlockSource, root: Cid, temp: Path, budget: Budget) -> None:
    pending = [(root, "", 0)]
    while pending:
        cid, relative, depth = pending.pop()
        if len(relative.encode()) > MAX_PATH_BYTES:
            raise ContentMalformed(f"path {relative[:64]!a}...: longer than {MAX_PATH_BYTES} bytes")
        target = temp / relative
        node = read_node(source, cid)
        if isinstance(node, DirectoryNode):
            budget.block(depth)
            check_names(link.name for link in node.links)
            target.mkdir()
            pending += [(link.cid, f"{relative}/{link.name}".lstrip("/"), depth + 1) for link in node.links]
            continue
        budget.content(len(node) if isinstance(node, bytes) else node.size)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with os.fdopen(fd, "wb") as file:
            file.writelines(file_chunks(source, cid, budget))


def _remove(temp: Path) -> None:
    if temp.is_dir() and not temp.is_symlink():
        shutil.rmtree(temp, ignore_errors=True)
    else:
        temp.unlink(missing_ok=True)
