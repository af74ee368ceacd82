"""What a seat has hidden behind a hash, on disk before the hash is sent: it must be openable after any crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kizuna.durable import write_whole


class Records:
    """Small JSON files in a folder. What was written first stands: what was voted for is never replaced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, name: str, record: object) -> None:
        """Writes a record, its bytes as hex, unless there is one of this name."""
        if self.load(name) is None:
            write_whole(self._path(name), json.dumps(record, default=lambda value: "0x" + value.hex()).encode())

    def load(self, name: str) -> Any:
        """A record as it was saved; None if there is none, or the disk has damaged it."""
        try:
            return json.loads(self._path(name).read_bytes())
        except (OSError, ValueError):
            return None

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def unhex(text: str) -> bytes:
    """The bytes of a record's hex field."""
    return bytes.fromhex(text.removeprefix("0x"))
