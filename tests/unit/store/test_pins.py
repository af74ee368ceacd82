"""What is pinned stays, what is not goes, and damage is named with the pin it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kizuna.errors import ContentMissing, LimitExceeded
from kizuna.store import DAG_CBOR, BlocksMissing, Cid, FlatFs, Limits, Pin, Pins, dag, dagcbor, unixfs

LATER = 4e9  # seconds since the epoch


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Pins]:
    pins = Pins(FlatFs(tmp_path / "blocks"), tmp_path / "pins.sqlite")
    yield pins
    pins.close()


def manifest(pins: Pins, name: str) -> tuple[Cid, list[Cid]]:
    """A manifest that links a directory and a file; its id, and all ids below it, its own first."""
    folder = unixfs.add_directory(pins.blocks, {"a": name.encode(), "big": name.encode() * 1_000_000})
    file = unixfs.add_bytes(pins.blocks, name.encode() * 2)
    block = dagcbor.encode({"folder": folder, "file": file, "bytes": Cid.of(b"elsewhere").digest})
    root = Cid.of(block, DAG_CBOR)
    pins.blocks.put(root, block)
    return root, [cid for cid, _ in dag.walk(pins.blocks, root)]


def test_pinned_content_outlives_a_collection_and_other_content_does_not(pins: Pins) -> None:
    kept, kept_blocks = manifest(pins, "kept")
    _, dropped = manifest(pins, "dropped")
    pins.pin(kept, "round 1")

    assert pins.gc(now=LATER) == len(dropped)
    assert dag.missing(pins.blocks, kept) == []
    assert set(pins.blocks.digests()) == {cid.digest for cid in kept_blocks}


def test_what_was_put_lately_is_spared(pins: Pins) -> None:
    manifest(pins, "being published")
    assert pins.gc() == 0
    assert pins.gc(min_age_s=0.0, now=LATER) > 0


def test_unpinned_content_goes_unless_another_label_holds_it(pins: Pins) -> None:
    root, _ = manifest(pins, "shared")
    pins.pin(root, "round 1")
    pins.pin(root, "round 2")
    pins.unpin("round 1")
    assert pins.gc(now=LATER) == 0
    assert pins.roots() == (Pin(root, "round 2"),)
    pins.unpin("round 2", root)
    assert pins.gc(now=LATER) > 0
    assert pins.roots() == ()


def test_pins_are_there_after_a_restart(pins: Pins, tmp_path: Path) -> None:
    root, _ = manifest(pins, "kept")
    pins.pin(root, "label")
    again = Pins(pins.blocks, tmp_path / "pins.sqlite")
    assert again.roots("label") == (Pin(root, "label"),)
    again.close()


def test_incomplete_content_is_not_pinned_and_what_is_missing_is_listed(pins: Pins) -> None:
    root, blocks = manifest(pins, "part")
    pins.blocks.delete(blocks[-1])
    with pytest.raises(ContentMissing) as caught:
        pins.pin(root, "label")
    assert isinstance(caught.value, BlocksMissing)
    assert caught.value.missing == (blocks[-1],)
    assert pins.roots() == ()


def test_content_above_the_limits_is_not_pinned(pins: Pins) -> None:
    root, _ = manifest(pins, "large")
    with pytest.raises(LimitExceeded):
        pins.pin(root, "label", limits=Limits(max_bytes=1000))
    assert pins.roots() == ()


def test_a_pin_of_the_root_alone_keeps_just_that(pins: Pins) -> None:
    root, blocks = manifest(pins, "kept")
    pins.pin(root, "label", recursive=False)
    assert pins.gc(now=LATER) == len(blocks) - 1
    assert list(pins.blocks.digests()) == [root.digest]


def test_a_later_pin_of_the_root_alone_does_not_weaken_a_recursive_one(pins: Pins) -> None:
    root, _ = manifest(pins, "kept")
    pins.pin(root, "label")
    pins.pin(root, "label", recursive=False)
    assert pins.roots() == (Pin(root, "label", True),)


def test_damaged_blocks_are_named_with_the_pin_they_belong_to(pins: Pins) -> None:
    root, blocks = manifest(pins, "kept")
    other, _ = manifest(pins, "other")
    pins.pin(root, "round 1")
    pins.pin(other, "round 2")
    assert pins.damaged() == ()
    pins.blocks.path(blocks[-1]).write_bytes(b"")

    (damage,) = pins.damaged()
    assert damage.pin == Pin(root, "round 1")
    assert damage.missing == (blocks[-1],)
    assert pins.gc(now=LATER) == 0  # a lost chunk is no reason to keep rubbish or to drop the rest


def test_nothing_is_collected_while_an_inner_node_of_a_pin_is_lost(pins: Pins) -> None:
    root, blocks = manifest(pins, "kept")
    pins.pin(root, "round 1")
    pins.blocks.path(root).write_bytes(b"half")
    with pytest.raises(BlocksMissing, match="round 1"):
        pins.gc(now=LATER)
    assert all(pins.blocks.has(cid) for cid in blocks[1:])
