"""Where a verifier looks for a contribution's bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from support.training import World, committed_by

from kizuna.node.agent import Node
from kizuna.node.contribution import Manifest
from kizuna.rl.state import Boundary
from kizuna.store import DAG_CBOR, DAG_PB, Cid, MemoryBlocks, dag
from kizuna.store.gateway import Gateway
from kizuna.types import Finding, Reason, Role
from verifier.cases import URLS_BLOCKS, Cases
from verifier.checks import Case, check_available


@dataclass(frozen=True, slots=True)
class Scene:
    """A contribution whose boundary 1 is served only where the test says, and a verifier that looks for it."""

    here: World
    node: Node
    cases: Cases
    trainer: Node
    hidden: MemoryBlocks

    def case(self, *, endpoint: bool = True) -> Case:
        found = self.cases.of(self.here.chain.at(self.here.chain.block), 1, 0, endpoint=endpoint)
        assert isinstance(found, Case)
        return found

    def serve_at(self, url: str) -> None:
        self.trainer.chain.announce(self.here.task, url)
        self.here.devnet.mine(URLS_BLOCKS)


@pytest.fixture
def scene(full: World, distinct: None) -> Iterator[Scene]:
    here = full
    with ExitStack() as stack:
        (digest,) = committed_by(here, 0)
        block = here.held.get(Cid(digest, DAG_CBOR))
        assert block is not None
        hidden = MemoryBlocks()
        for cid, data in list(dag.walk(here.held, Cid(Manifest.decode(block).boundaries[1], DAG_PB))):
            assert data is not None
            hidden.put(cid, data)
            here.held.delete(cid)
        node = stack.enter_context(here.node("ada", Role.VERIFIER))
        trainer = stack.enter_context(here.node("slot 0"))
        yield Scene(here, node, Cases(node), trainer, hidden)


def test_boundaries_are_found_where_a_restarted_trainer_serves_them_now(scene: Scene) -> None:
    scene.serve_at("http://127.0.0.1:9")
    missing = scene.case().boundary(1)
    assert isinstance(missing, Finding) and missing.reason is Reason.UNAVAILABLE
    with Gateway(scene.hidden) as gateway:
        scene.serve_at(gateway.url)
        assert isinstance(scene.case().boundary(1), Boundary)


def test_an_address_that_is_none_is_passed_over(scene: Scene) -> None:
    scene.serve_at("gopher://\x07 not an address")
    assert isinstance(scene.case().boundary(2), Boundary)


def test_an_address_that_serves_other_bytes_is_as_good_as_none(scene: Scene) -> None:
    class Lying(MemoryBlocks):
        def get(self, cid: Cid) -> bytes | None:
            return b"something else"

    with Gateway(Lying()) as gateway:
        scene.serve_at(gateway.url)
        missing = scene.case().boundary(1)
    assert isinstance(missing, Finding) and missing.reason is Reason.UNAVAILABLE
    assert all(scene.node.blocks.get(Cid(digest)) is None for digest in scene.hidden.digests())
    with Gateway(scene.hidden) as gateway:
        scene.serve_at(gateway.url)
        assert isinstance(scene.case().boundary(1), Boundary)


def test_jurors_look_at_the_mirrors_only(scene: Scene) -> None:
    with Gateway(scene.hidden) as gateway:
        scene.serve_at(gateway.url)
        assert isinstance(scene.case().boundary(1), Boundary)  # so now this node holds it
        pinned = scene.here.chain.at(scene.here.chain.block)
        with scene.cases.as_mirrored(pinned, 1, 0) as case:
            assert isinstance(case, Case)
            assert check_available(case, 2) is None
            fault = check_available(case, 0)
        assert fault is not None and fault.reason is Reason.UNAVAILABLE
    assert not list(scene.node.options.state.glob("mirrored-*"))


def test_what_was_read_whole_is_not_read_again(scene: Scene) -> None:
    case = scene.case()
    assert scene.case() is case
    assert scene.case(endpoint=False).contribution is case.contribution


def test_a_mirror_that_is_gone_is_told_from_one_that_lacks_something(scene: Scene) -> None:
    assert scene.cases.mirrors_answer()
    scene.here.mirror.close()
    assert not scene.cases.mirrors_answer()
