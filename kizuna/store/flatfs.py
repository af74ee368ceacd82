"""Blocks as files, in the layout that Kubo reads (flatfs, `next-to-last/2`).

Source: https://github.com/ipfs/go-ds-flatfs. The file of a block is `<shard>/<KEY>.data`: KEY is the multihash in
base32 capitals, the shard the two characters before its last one. A file appears by rename after its bytes are on the
disk; one that is damaged all the same counts as absent and is overwritten by the next `put`.
"""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from kizuna.durable import sync_directory, write_synced
from kizuna.errors import ConfigError
from kizuna.store._disk import naming_full
from kizuna.store.blocks import MAX_BLOCK_BYTES, check_block
from kizuna.store.cid import Cid

SHARDING = "/repo/flatfs/shard/v1/next-to-last/2\n"

_MULTIHASH = b"\x12\x20"
_SUFFIX = ".data"
_TEMP, _LOCK = ".temp", ".lock"  # Kubo skips names that begin with a dot
_KEY_LENGTH = 55


class FlatFs:
    """A directory of blocks; see `Blocks` for the methods. Processes may share one.

    Raises ConfigError if the directory holds something else or cannot be used, StoreFull if the disk is full.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            with naming_full(root.parent if root.parent.exists() else Path("/")):
                root.mkdir(parents=True, exist_ok=True)
                self._check_layout()
                (root / _TEMP).mkdir(exist_ok=True)
                self._lock = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigError(f"{root} is no usable block store: {error.strerror}; choose another directory") from None
        self._clean_if_alone()

    def close(self) -> None:
        """Let another process clean up. Blocks can still be read."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def get(self, cid: Cid) -> bytes | None:
        try:
            with open(self.path(cid), "rb") as file:
                block = file.read(MAX_BLOCK_BYTES + 1)
        except OSError:  # absent, or the disk cannot read it: damaged
            return None
        return block if Cid.of(block).digest == cid.digest else None

    def put(self, cid: Cid, block: bytes) -> None:
        check_block(cid, block)
        target = self.path(cid)
        if self.has(cid):
            self._touch(target)
            return
        temp = self.root / _TEMP / f"put-{secrets.token_hex(12)}"
        with naming_full(self.root):
            try:
                write_synced(temp, block)
                if not target.parent.exists():
                    target.parent.mkdir(exist_ok=True)
                    sync_directory(self.root)
                os.replace(temp, target)
                sync_directory(target.parent)
            finally:
                temp.unlink(missing_ok=True)

    def has(self, cid: Cid) -> bool:
        return self.get(cid) is not None

    def delete(self, cid: Cid) -> None:
        self.path(cid).unlink(missing_ok=True)

    def digests(self) -> Iterator[bytes]:
        for shard in sorted(self.root.iterdir()):
            if not shard.name.startswith(".") and shard.is_dir():
                for path in sorted(shard.iterdir()):
                    if (digest := _digest_of(path)) is not None:
                        yield digest

    def path(self, cid: Cid) -> Path:
        """Where a block's file is, or would be."""
        key = base64.b32encode(_MULTIHASH + cid.digest).decode().rstrip("=")
        return self.root / key[-3:-1] / (key + _SUFFIX)

    def age_s(self, cid: Cid, *, now: float) -> float | None:
        """Seconds since a block was last put, or None if there is no file."""
        try:
            return now - self.path(cid).stat().st_mtime
        except OSError:
            return None

    def _touch(self, path: Path) -> None:
        # Garbage collection spares what is young: putting a block that is there makes it young again.
        try:
            os.utime(path)
        except FileNotFoundError:
            return

    def _check_layout(self) -> None:
        marker = self.root / "SHARDING"
        if marker.exists():
            if marker.read_text(errors="replace").strip() != SHARDING.strip():
                raise ConfigError(
                    f"{self.root} is a flatfs store of another layout than next-to-last/2; choose another directory"
                )
            return
        if any(not path.name.startswith(".") for path in self.root.iterdir()):
            raise ConfigError(f"{self.root} is not empty and no flatfs store; choose another directory")
        temp = self.root / f".sharding-{secrets.token_hex(8)}"
        write_synced(temp, SHARDING.encode())
        os.replace(temp, marker)
        sync_directory(self.root)

    def _clean_if_alone(self) -> None:
        """Remove what a crash left half-written, unless another process may still be writing it."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            # go-ds-flatfs kept temporary files beside the blocks once.
            for pattern in (f"{_TEMP}/*", "??/put-*", "??/temp-*", ".sharding-*"):
                for path in self.root.glob(pattern):
                    path.unlink(missing_ok=True)
        fcntl.flock(self._lock, fcntl.LOCK_SH)


def _digest_of(path: Path) -> bytes | None:
    """The digest in a file's name, or None if it is not the name of a block in its place."""
    key = path.name.removesuffix(_SUFFIX)
    if len(key) != _KEY_LENGTH or path.suffix != _SUFFIX or path.parent.name != key[-3:-1]:
        return None
    try:
        multihash = base64.b32decode(key + "=")
    except ValueError:
        return None
    return multihash[2:] if multihash[:2] == _MULTIHASH else None
