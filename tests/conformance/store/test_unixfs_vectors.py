"""Content ids equal those of another implementation (unixfs_vectors.json says which and how)."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from kizuna.store import unixfs
from kizuna.store._importer import _Balanced
from kizuna.store.blocks import MemoryBlocks

VECTORS = json.loads((Path(__file__).parent / "unixfs_vectors.json").read_text())


def content(seed: str, size: int) -> bytes:
    blocks = (sha256(seed.encode() + i.to_bytes(8, "big")).digest() for i in range(-(-size // 32)))
    return b"".join(blocks)[:size]


def held(blocks: MemoryBlocks) -> dict[str, int]:
    return {"blocks": len(blocks._held), "block_bytes": sum(map(len, blocks._held.values()))}


@pytest.mark.parametrize("vector", VECTORS["files"], ids=lambda v: v["seed"])
def test_a_file_has_the_id_another_implementation_gives_it(vector: dict[str, Any], tmp_path: Path) -> None:
    data, blocks = content(vector["seed"], vector["size"]), MemoryBlocks()
    path = tmp_path / "file"
    path.write_bytes(data)

    assert str(unixfs.cid_of_bytes(data)) == str(unixfs.cid_of_file(path)) == vector["cid"]
    assert str(unixfs.add_file(blocks, path)) == str(unixfs.add_bytes(blocks, data)) == vector["cid"]
    assert held(blocks) == {key: vector[key] for key in ("blocks", "block_bytes")}


@pytest.mark.parametrize("vector", VECTORS["repeated"], ids=lambda v: f"{v['chunks']}+{v['tail']}")
def test_a_file_of_more_than_1024_chunks_grows_a_balanced_tree(vector: dict[str, Any]) -> None:
    chunk, blocks = content(vector["seed"], unixfs.CHUNK_BYTES), MemoryBlocks()
    tree = _Balanced(blocks.put)
    tree.leaf(chunk)
    leaf, size = tree._rows[0][0]
    for _ in range(vector["chunks"] - 1):
        tree._push(0, leaf, size)  # the same link again: hashing gigabytes adds nothing
    if vector["tail"]:
        tree.leaf(chunk[: vector["tail"]])

    assert str(tree.finish().cid) == vector["cid"]
    assert held(blocks) == {key: vector[key] for key in ("blocks", "block_bytes")}


@pytest.mark.parametrize("vector", VECTORS["trees"], ids=lambda v: v["name"])
@pytest.mark.parametrize("order", [list, reversed], ids=["forwards", "backwards"])
def test_a_directory_has_that_id_in_whatever_order_its_files_were_made(
    vector: dict[str, Any], order: Any, tmp_path: Path
) -> None:
    root, blocks = tmp_path / "root", MemoryBlocks()
    root.mkdir()
    for path, recipe in order(list(vector["files"].items())):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content(recipe["seed"], recipe["size"]))

    assert str(unixfs.add_directory(blocks, root)) == vector["cid"]
    assert held(blocks) == {key: vector[key] for key in ("blocks", "block_bytes")}
