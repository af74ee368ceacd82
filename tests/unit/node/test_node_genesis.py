"""Fetching a task's model: what cannot be trained costs no download, and what is large takes as long as it takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from support.training import genesis, world

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.errors import ContentMissing, KizunaError
from kizuna.node.task_context import load_context
from kizuna.store import DAG_PB, Cid, Fetcher, FlatFs, Limits, MemoryBlocks, Patience, dag, unixfs
from kizuna.store.gateway import Gateway
from kizuna.types import Digest, Role

WEIGHTS = 3 * 2**20


def published(folder: Path, files: dict[str, bytes]) -> Digest:
    """The digest of a genesis that the mirror of a `world` in this folder will hold."""
    held = FlatFs(folder / "mirror")
    root = unixfs.add_directory(held, files)
    held.close()
    return Digest(root.digest)


def with_config(**changes: object) -> dict[str, bytes]:
    config: dict[str, Any] = json.loads(genesis()["config.json"])
    heavy = {"model.safetensors": bytes(range(256)) * (WEIGHTS // 256)}
    return {**genesis(), **heavy, "config.json": json.dumps(config | changes).encode()}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (with_config(hidden_size=36, num_attention_heads=8, num_key_value_heads=8, head_dim=16), "not a multiple of"),
        (with_config(num_attention_heads=4, num_key_value_heads=3), "4 attention heads cannot share 3"),
        (with_config(padding="x" * 2**20), "more than 1048576"),
        ({"model.safetensors": bytes(WEIGHTS)}, "there is no config.json"),
        ({f"{i}.txt": b"" for i in range(65)}, "65 files"),
    ],
    ids=["odd hidden size", "odd sharing", "huge configuration", "no configuration", "many files"],
)
def test_a_model_that_cannot_be_trained_costs_nobody_a_download_or_a_stake(
    devnet: Devnet,
    deployment: Deployment,
    client: Callable[[str], Kizuna],
    tmp_path: Path,
    files: dict[str, bytes],
    sentence: str,
) -> None:
    digest = published(tmp_path, files)
    with world(devnet, deployment, client, tmp_path, genesis=digest) as here:
        node = here.node("newcomer")
        with pytest.raises(KizunaError, match=sentence) as caught:
            node.__enter__()
        assert "\n" not in str(caught.value)
        fetched = FlatFs(tmp_path / "newcomer" / "blocks")
        assert sum(path.stat().st_size for path in fetched.root.glob("*/*.data")) < WEIGHTS
        fetched.close()
        assert here.chain.slot_count(here.task, Role.TRAINER) == 0


def test_a_model_that_takes_longer_than_a_fetchers_patience_arrives_all_the_same(
    devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna], tmp_path: Path
) -> None:
    files = {f"{i}.bin": bytes([i]) * 100_000 for i in range(12)}
    digest = published(tmp_path, {**genesis(), **files})
    with world(devnet, deployment, client, tmp_path, genesis=digest) as here:
        mine, asked = MemoryBlocks(), 0

        class Slow:
            """The mirror's blocks, each after a while."""

            def get(self, cid: Cid) -> bytes | None:
                nonlocal asked
                asked += 1
                sleep(0.3)
                return here.held.get(cid)

        one_at_a_time = Patience(total_s=1.5, connections=1)
        with Gateway(Slow()) as slow:
            fetcher = Fetcher(mine, [slow.url], Limits(max_bytes=1 << 30), patience=one_at_a_time)
            assert load_context(here.chain, here.task, mine, fetcher).genesis == {**genesis(), **files}
        assert asked * 0.3 > one_at_a_time.total_s
        for cid, _ in list(dag.walk(mine, Cid(digest, DAG_PB)))[-3:]:
            mine.delete(cid)
        with pytest.raises(ContentMissing):  # nobody is there any more, so nothing arrives
            load_context(here.chain, here.task, mine, fetcher)
