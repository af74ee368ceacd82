"""What a seat has hidden behind a hash, on disk before the hash is sent: it must be openable after any crash."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Records:
    """Small JSON files in a folder. What was written first stands: what was voted for is never replaced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def save(self, name: str, record: object) -> None:
        """Writes a record, its bytes as hex, unless there is one of this name."""
        path = self._path(name)
        if path.exists():
            return
        partial = path.with_suffix(".partial")
        with partial.open("w") as file:
            json.dump(record, file, default=lambda value: "0x" + value.hex())
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def load(self, name: str) -> Any:
        """A record as it was saved, None if there is none."""
        path = self._path(name)
        return json.loads(path.read_text()) if path.exists() else None

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def unhex(text: str) -> bytes:
    """The bytes of a record's hex field."""
    return bytes.fromhex(text.removeprefix("0x"))
