"""A round in the making on the trainer's disk, so that a crash costs at most the segment it fell in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from kizuna.diloco.segments import SegmentRecord
from kizuna.durable import sync_directory, write_synced
from kizuna.errors import ContentMalformed, StoreError
from kizuna.rl.config import RoundConfig
from kizuna.rl.model import CausalModel

_CHECKSUM = "sha256"


class Drafts:
    """Segment records by round and segment. A record is there whole or not at all.

    `say` is told of records that are damaged all the same.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder, self.say = folder, say

    def save(self, config: RoundConfig, record: SegmentRecord) -> None:
        """Writes a record unless there is one: files first, each synced, then the name that makes it count."""
        final = self._place(config) / str(record.segment)
        if final.exists():
            return
        partial = final.with_name(f"{record.segment}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        files = record.files()
        for name, data in (files | {_CHECKSUM: _checksum(files)}).items():
            write_synced(partial / name, data)
        sync_directory(partial)
        partial.rename(final)
        sync_directory(final.parent)

    def load(self, config: RoundConfig, model: CausalModel) -> list[SegmentRecord]:
        """The records from the first segment up to the first that is missing or damaged; what follows is removed."""
        records: list[SegmentRecord] = []
        for segment in range(config.segments):
            folder = self._place(config) / str(segment)
            if not folder.is_dir():
                break
            try:
                files = {path.name: path.read_bytes() for path in folder.iterdir()}
                if files.pop(_CHECKSUM, b"") != _checksum(files):
                    raise ContentMalformed("its checksum does not match")
                records.append(SegmentRecord.from_files(files, segment, config, model))
            except (StoreError, OSError) as error:
                self.say(f"{folder} is damaged, the round goes on from the segment before it: {error}")
                break
        for segment in range(len(records), config.segments):
            shutil.rmtree(self._place(config) / str(segment), ignore_errors=True)
        return records

    def forget_before(self, round: int) -> None:
        """Removes the drafts of rounds before `round`."""
        for folder in self.folder.glob("*"):
            if folder.name.split("-")[0].isdigit() and int(folder.name.split("-")[0]) < round:
                shutil.rmtree(folder, ignore_errors=True)

    def _place(self, config: RoundConfig) -> Path:
        # Seed and base are part of the name: a reorganised chain may give the same round other ones.
        return self.folder / f"{config.round}-{config.slot}-{config.seed.hex()[:16]}-{config.base.hex()[:16]}"


def _checksum(files: Mapping[str, bytes]) -> bytes:
    """Of all files: one flipped bit of a weight would make an honest trainer commit to what no re-run ends in."""
    parts = (sha256(part).digest() for name in sorted(files) for part in (name.encode(), files[name]))
    return sha256(b"".join(parts)).hexdigest().encode()
