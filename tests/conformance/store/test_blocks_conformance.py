"""What every block store does, whatever it keeps its blocks in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kizuna.errors import BlockCorrupt, LimitExceeded
from kizuna.store import DAG_CBOR, MAX_BLOCK_BYTES, Blocks, Cid, FlatFs, MemoryBlocks

STORES: dict[str, Callable[[Path], Blocks]] = {
    "memory": lambda _: MemoryBlocks(),
    "flatfs": lambda path: FlatFs(path / "blocks"),
}


@pytest.fixture(params=STORES)
def blocks(request: pytest.FixtureRequest, tmp_path: Path) -> Blocks:
    return STORES[request.param](tmp_path)


def test_a_block_that_was_put_is_there(blocks: Blocks) -> None:
    cid = Cid.of(b"block")
    blocks.put(cid, b"block")
    assert blocks.get(cid) == b"block"
    assert blocks.has(cid)
    assert list(blocks.digests()) == [cid.digest]


def test_an_empty_block_is_a_block(blocks: Blocks) -> None:
    blocks.put(Cid.of(b""), b"")
    assert blocks.get(Cid.of(b"")) == b""
    assert blocks.has(Cid.of(b""))


def test_an_unknown_block_is_absent_and_deleting_it_is_no_error(blocks: Blocks) -> None:
    cid = Cid.of(b"unknown")
    blocks.delete(cid)
    assert blocks.get(cid) is None
    assert not blocks.has(cid)
    assert list(blocks.digests()) == []


def test_a_deleted_block_is_gone(blocks: Blocks) -> None:
    cid = Cid.of(b"block")
    blocks.put(cid, b"block")
    blocks.delete(cid)
    assert blocks.get(cid) is None
    assert list(blocks.digests()) == []


def test_putting_twice_is_putting_once(blocks: Blocks) -> None:
    for _ in range(2):
        blocks.put(Cid.of(b"block"), b"block")
    assert len(list(blocks.digests())) == 1


def test_the_codec_does_not_matter(blocks: Blocks) -> None:
    blocks.put(Cid.of(b"block", DAG_CBOR), b"block")
    assert blocks.get(Cid.of(b"block")) == b"block"


def test_bytes_of_another_id_are_refused_and_nothing_is_kept(blocks: Blocks) -> None:
    with pytest.raises(BlockCorrupt):
        blocks.put(Cid.of(b"right"), b"wrong")
    assert list(blocks.digests()) == []


def test_a_block_may_have_2_mib_and_no_byte_more(blocks: Blocks) -> None:
    largest, larger = bytes(MAX_BLOCK_BYTES), bytes(MAX_BLOCK_BYTES + 1)
    blocks.put(Cid.of(largest), largest)
    with pytest.raises(LimitExceeded):
        blocks.put(Cid.of(larger), larger)
    assert blocks.get(Cid.of(largest)) == largest


def test_many_threads_may_put_the_same_and_other_blocks(blocks: Blocks) -> None:
    data = [bytes([i % 10]) * 100 for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda block: blocks.put(Cid.of(block), block), data))
    assert len(list(blocks.digests())) == 10
    assert all(blocks.get(Cid.of(block)) == block for block in data)
