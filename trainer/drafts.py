"""A round in the making on the trainer's disk, so that a crash costs at most the segment it fell in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from kizuna.diloco.segments import SegmentRecord
from kizuna.errors import StoreError
from kizuna.rl.config import RoundConfig
from kizuna.rl.model import CausalModel


class Drafts:
    """Segment records by round, base and segment. A record is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, config: RoundConfig, record: SegmentRecord) -> None:
        """Writes a record: files first, each synced, then the name that makes it count."""
        final = self._place(config) / str(record.segment)
        if final.exists():
            return
        partial = final.with_name(f"{record.segment}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, data in record.files().items():
            with (partial / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        partial.rename(final)

    def load(self, config: RoundConfig, model: CausalModel) -> list[SegmentRecord]:
        """The records from the first segment up to the first that is missing or damaged."""
        records: list[SegmentRecord] = []
        for segment in range(config.segments):
            folder = self._place(config) / str(segment)
            if not folder.is_dir():
                break
            files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
            try:
                records.append(SegmentRecord.from_files(files, segment, config, model))
            except StoreError:
                shutil.rmtree(folder)
                break
        return records

    def forget_before(self, round: int) -> None:
        """Removes the drafts of rounds before `round`."""
        for folder in self.folder.glob("*"):
            if folder.name.split("-")[0].isdigit() and int(folder.name.split("-")[0]) < round:
                shutil.rmtree(folder, ignore_errors=True)

    def _place(self, config: RoundConfig) -> Path:
        # Seed and base are part of the name: a reorganised chain may give the same round other ones.
        return self.folder / f"{config.round}-{config.seed.hex()[:16]}-{config.base.hex()[:16]}"
