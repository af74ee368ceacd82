"""Watches a task without taking part: computes every version itself and examines the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kizuna.chain import Kizuna
from kizuna.node.task_context import MAX_GENESIS, load_context
from kizuna.node.versions import Version, Versions
from kizuna.rl.genesis import evaluate
from kizuna.rl.model import read_weights
from kizuna.store import DAG_PB, Cid, Fetcher, MemoryBlocks, unixfs

EXERCISES = 400


@dataclass(slots=True)
class Observer:
    """An independent computation of a task's versions and of what they can do."""

    chain: Kizuna
    task: int
    mirrors: tuple[str, ...]
    accuracies: dict[int, float] = field(default_factory=dict)
    digests: dict[int, bytes] = field(default_factory=dict)
    _versions: Versions | None = None

    def look(self, made: int) -> float:
        """Greedy held-out accuracy of the version that round `made` made (0: the genesis)."""
        if made not in self.accuracies:
            version = self.version(made)
            self.digests[made] = version.digest
            self.accuracies[made] = self._examine(version.files)
        return self.accuracies[made]

    def version(self, made: int) -> Version:
        """Raises StoreError while the round is not soft or an update cannot be had."""
        return self._following().base_of(self.chain.at(self.chain.block), made + 1)

    def export(self, made: int, folder: Path) -> None:
        """Writes a version as a Hugging Face model directory."""
        versions = self._following()
        directory = unixfs.add_directory(versions.blocks, dict(self.version(made).files))
        unixfs.export(versions.blocks, Cid(directory.digest, DAG_PB), folder, limits=MAX_GENESIS)

    def _following(self) -> Versions:
        if self._versions is None:
            blocks = MemoryBlocks()
            fetcher = Fetcher(blocks, self.mirrors, MAX_GENESIS)
            self._versions = Versions(load_context(self.chain, self.task, blocks, fetcher), blocks, fetcher)
        return self._versions

    def _examine(self, files: Mapping[str, bytes]) -> float:
        context = self._following().context
        context.model.load(read_weights(files))
        return evaluate(
            context.model,
            context.tokenizer,
            context.environment,
            exercises=EXERCISES,
            max_new_tokens=context.spec.environment.max_new_tokens,
        )
