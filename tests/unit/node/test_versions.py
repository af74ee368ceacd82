"""Versions: computed from the chain's bitmaps, kept over restarts, dropped when the chain changes its mind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.training import World, committed_by, context, world

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.chain.client import Pinned
from kizuna.errors import ContentMalformed, ContentMissing
from kizuna.node.agent import Node
from kizuna.node.task_context import MAX_GENESIS
from kizuna.node.versions import Versions
from kizuna.shardcast.version import MANIFEST_FILE
from kizuna.store import DAG_CBOR, DAG_PB, Cid, Fetcher, MemoryBlocks, dag
from kizuna.types import Role


@pytest.fixture
def here(devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna], tmp_path: Path) -> Iterator[World]:
    with world(devnet, deployment, client, tmp_path, trainer_slots=2) as published:
        yield published


def at_head(node: Node) -> Pinned:
    return node.chain.at(node.chain.block)


def to_soft(here: World, *, accepted: bool = True) -> None:
    here.attest(1, 0b11)
    here.pass_all(1) if accepted else here.skip_all(1)


def forget(node: Node, cid: Cid) -> None:
    for child, _ in list(dag.walk(node.blocks, cid)):
        node.blocks.delete(child)


def test_first_base_is_the_genesis(here: World) -> None:
    with here.node("reader", Role.VERIFIER) as node:
        assert node.versions.base_of(at_head(node), 1).digest == here.params.genesis


def test_there_is_no_version_before_its_round_is_soft(here: World) -> None:
    committed_by(here, 0, 1)
    with here.node("reader", Role.VERIFIER) as node, pytest.raises(ContentMalformed, match="no version yet"):
        node.versions.base_of(at_head(node), 2)


def test_every_node_computes_the_same_version_from_the_bitmap(here: World) -> None:
    committed_by(here, 0, 1)
    to_soft(here)
    found = []
    for name in ("reader", "another"):
        with here.node(name, Role.VERIFIER) as node:
            version = node.versions.base_of(at_head(node), 2)
            assert node.blocks.has(Cid(version.digest, DAG_PB))
            found.append(version.digest)
    assert found[0] == found[1] != here.params.genesis
    record = json.loads(version.files[MANIFEST_FILE])
    assert (record["round"], record["accepted"]) == (1, "0x3")
    assert record["parent"] == "0x" + here.params.genesis.hex()
    assert set(version.files) == {*context().genesis, MANIFEST_FILE}


def test_round_that_accepts_nothing_keeps_its_parent(here: World) -> None:
    committed_by(here, 0, 1)
    to_soft(here, accepted=False)
    with here.node("reader", Role.VERIFIER) as node:
        assert node.versions.base_of(at_head(node), 2).digest == here.params.genesis


def test_version_outlives_the_process_and_the_updates_it_was_made_of(here: World) -> None:
    manifests = committed_by(here, 0, 1)
    to_soft(here)
    with here.node("reader", Role.VERIFIER) as node:
        first = node.versions.base_of(at_head(node), 2)
        for digest in manifests:
            forget(node, Cid(digest, DAG_CBOR))
    here.mirror.close()
    with here.node("reader", Role.VERIFIER) as node:
        assert node.versions.base_of(at_head(node), 2) == first


def test_damaged_version_is_computed_anew(here: World) -> None:
    committed_by(here, 0, 1)
    to_soft(here)
    with here.node("reader", Role.VERIFIER) as node:
        first = node.versions.base_of(at_head(node), 2)
        forget(node, Cid(first.digest, DAG_PB))
    with here.node("reader", Role.VERIFIER) as node:
        assert node.versions.base_of(at_head(node), 2).digest == first.digest


def test_accepted_update_that_nobody_serves_is_missed_by_name(here: World) -> None:
    manifests = committed_by(here, 0, 1)
    to_soft(here)
    for cid, _ in list(dag.walk(here.held, Cid(manifests[1], DAG_CBOR))):
        here.held.delete(cid)
    with here.node("reader", Role.VERIFIER) as node, pytest.raises(ContentMissing, match="round 1, slot 1"):
        node.versions.base_of(at_head(node), 2)


def test_reorganised_chain_changes_the_version(here: World) -> None:
    committed_by(here, 0, 1)
    here.attest(1, 0b11)
    snapshot = here.devnet.snapshot()
    here.pass_all(1)
    with here.node("reader", Role.VERIFIER) as node:
        blocks = MemoryBlocks()
        remembered = Versions(node.context, blocks, Fetcher(blocks, [here.mirror.url], MAX_GENESIS))
        assert remembered.base_of(at_head(node), 2) == node.versions.base_of(at_head(node), 2)
        assert remembered.base_of(at_head(node), 2).accepted == 0b11
    here.devnet.revert(snapshot)
    here.reconnect()
    here.skip_all(1)
    with here.node("reader", Role.VERIFIER) as node:
        for versions in (node.versions, remembered):
            assert versions.base_of(at_head(node), 2).digest == here.params.genesis
