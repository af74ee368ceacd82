"""A store that lost blocks to a crash or a disk: it starts, serves what is whole, and mends the rest from peers.

Elsewhere an empty block left by a power loss kept a node from starting for days (bitsocialnet/bitsocial-cli#117).
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.kubo_daemon import BINARY

from kizuna.errors import ContentMissing
from kizuna.store import Cid, Fetcher, FlatFs, Limits, MemoryBlocks, Pin, Pins, dag, unixfs
from kizuna.store.gateway import Gateway

LIMITS = Limits(max_bytes=64 << 20)
RANDOM = random.Random(1)
FILES = {f"{i}.bin": RANDOM.randbytes(3000 + i) for i in range(6)} | {"large.bin": RANDOM.randbytes(5 << 20)}


@pytest.fixture
def peer() -> Iterator[tuple[Gateway, Cid]]:
    """Somebody else who holds the same directory, and its id."""
    blocks = MemoryBlocks()
    root = unixfs.add_directory(blocks, FILES)
    with Gateway(blocks) as gateway:
        yield gateway, root


def own_store(folder: Path) -> Path:
    blocks = FlatFs(folder / "blocks")
    unixfs.add_directory(blocks, FILES)
    blocks.close()
    return folder / "blocks"


def kubo_repository(folder: Path) -> Path:
    """The blocks of a repository that Kubo itself made and filled."""
    assert BINARY.exists(), "build Kubo with `make kubo`"
    content = folder / "content"
    content.mkdir()
    for name, data in FILES.items():
        (content / name).write_bytes(data)
    environment = os.environ | {"IPFS_PATH": str(folder / "repository")}
    for command in (["init", "--profile", "test,unixfs-v1-2025"], ["add", "--recursive", "--quieter", str(content)]):
        subprocess.run([BINARY, *command], env=environment, capture_output=True, check=True, timeout=60)
    return folder / "repository" / "blocks"


def damage(store: FlatFs, root: Cid) -> list[Cid]:
    """Empties, halves, flips and loses blocks, and leaves what a crash leaves; which blocks are bad now."""
    leaves = [cid for cid, block in dag.walk(store, root) if cid != root and block is not None and len(block) < 10_000]
    shards = [store.path(cid).parent for cid, _ in dag.walk(store, root)]
    lost = next(cid for cid in leaves if shards.count(store.path(cid).parent) == 1)
    empty, half, flipped = [cid for cid in leaves if cid != lost][:3]
    store.path(empty).write_bytes(b"")
    data = store.path(half).read_bytes()
    store.path(half).write_bytes(data[: len(data) // 2])
    data = store.path(flipped).read_bytes()
    store.path(flipped).write_bytes(bytes([data[0] ^ 1]) + data[1:])
    shutil.rmtree(store.path(lost).parent)
    for left in (
        store.root / ".temp" / "put-1",
        store.path(half).parent / "put-2",
        store.path(empty).parent / "temp-3",
    ):
        left.write_bytes(b"half a block")
    return [empty, half, flipped, lost]


def status(gateway: Gateway, cid: Cid) -> int:
    return httpx.get(f"{gateway.url}/ipfs/{cid}?format=raw", trust_env=False).status_code


@pytest.mark.parametrize("make", [own_store, pytest.param(kubo_repository, marks=pytest.mark.deep)])
def test_damaged_blocks_are_never_served_are_named_with_their_pin_and_come_back_from_a_peer(
    make, peer: tuple[Gateway, Cid], tmp_path: Path
) -> None:
    gateway, root = peer
    folder = make(tmp_path)
    store = FlatFs(folder)
    pins = Pins(store, tmp_path / "pins.sqlite")
    pins.pin(root, "round 1")
    assert unixfs.read(store, unixfs.ls(store, root)[0].cid, max_bytes=1 << 20) == FILES["0.bin"]
    pins.close()
    store.close()
    bad = damage(store, root)

    store = FlatFs(folder)
    pins = Pins(store, tmp_path / "pins.sqlite")
    assert not [path for path in folder.rglob("*") if path.name.startswith(("put-", "temp-"))]
    (found,) = pins.damaged()
    assert found.pin == Pin(root, "round 1") and set(found.missing) == set(bad)
    with Gateway(store) as mine:
        assert {status(mine, cid) for cid in bad} == {404}
        assert {status(mine, cid) for cid, block in dag.walk(store, root) if block is not None} == {200}
        assert pins.gc(now=4e9) == 0 or make is kubo_repository  # Kubo brings blocks of its own
        fetched = Fetcher(store, [gateway.url], LIMITS).fetch_dag(root)
        assert fetched.total_blocks == len(list(dag.walk(store, root)))
        assert {status(mine, cid) for cid, _ in dag.walk(store, root)} == {200}
    assert pins.damaged() == ()
    for entry in unixfs.ls(store, root):
        assert unixfs.read(store, entry.cid, max_bytes=8 << 20) == FILES[entry.name]
    pins.close()
    store.close()


def test_a_reader_gets_the_bytes_it_asked_for_or_none_while_they_are_deleted_and_replaced(tmp_path: Path) -> None:
    """Elsewhere a checkpoint's directory was deleted while another process loaded it (vllm-project/speculators#739)."""
    store = FlatFs(tmp_path / "blocks")
    versions = [{f"{i}.bin": bytes([v + 1]) * 300_000 for i in range(4)} for v in range(2)]
    roots = [unixfs.add_directory(store, files) for files in versions]
    over = threading.Event()

    def replace() -> None:
        while not over.is_set():
            for root, files in zip(roots, versions, strict=True):
                for cid in [cid for cid, _ in dag.walk(store, root)]:
                    store.delete(cid)
                unixfs.add_directory(store, files)

    writer = threading.Thread(target=replace)
    writer.start()
    outcomes = {True: 0, False: 0}
    try:
        while min(outcomes.values()) < 20:
            for root, files in zip(roots, versions, strict=True):
                try:
                    read = {e.name: unixfs.read(store, e.cid, max_bytes=1 << 20) for e in unixfs.ls(store, root)}
                except ContentMissing:
                    outcomes[False] += 1
                else:
                    assert read == files
                    outcomes[True] += 1
    finally:
        over.set()
        writer.join()
    store.close()
