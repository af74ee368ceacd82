"""What a disk has lost of pinned content is fetched again at the next start, or named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.training import World, world

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.store import DAG_PB, Cid, unixfs


@pytest.fixture
def here(devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna], tmp_path: Path) -> Iterator[World]:
    with world(devnet, deployment, client, tmp_path) as published:
        yield published


def test_damaged_content_that_a_mirror_holds_is_whole_again_after_a_restart(
    here: World, capsys: pytest.CaptureFixture[str]
) -> None:
    data = b"pushed to the mirror" * 100_000
    unixfs.add_bytes(here.held, data)
    with here.node("keeper") as node:
        kept = unixfs.add_bytes(node.blocks, data)
        node.keep(3, kept)
        genesis = Cid(here.params.genesis, DAG_PB)
        weights = next(e.cid for e in unixfs.ls(node.blocks, genesis) if e.name == "model.safetensors")
        for cid in (kept, weights):
            node.blocks.path(cid).write_bytes(b"")
    capsys.readouterr()
    with here.node("keeper") as node:
        assert node.pins.damaged() == ()
        assert unixfs.read(node.blocks, kept, max_bytes=len(data)) == data
        assert node.context.genesis["model.safetensors"]
    assert "1 damaged blocks of task/1/round/3 were fetched again" in capsys.readouterr().out


def test_damaged_content_that_nobody_holds_is_named_with_its_pin_and_stops_nothing(
    here: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with here.node("keeper") as node:
        mine, whole = (unixfs.add_bytes(node.blocks, text) for text in (b"on this disk alone", b"of a round to come"))
        node.keep(3, mine)
        node.keep(4, whole)
        node.blocks.path(mine).write_bytes(b"on th")
    capsys.readouterr()
    with here.node("keeper") as node:
        assert "task/1/round/3 is damaged on this disk, and cannot be served" in capsys.readouterr().out
        assert not node.blocks.has(mine)
        node.tidy(3)
        assert node.blocks.has(whole) and node.pins.damaged() == ()
