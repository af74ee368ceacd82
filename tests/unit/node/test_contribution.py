"""Contributions: what is published is read back, and everything an enemy changes becomes a finding."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.training import config, context, numerics, trained

from kizuna.chain.history import Roots
from kizuna.errors import ContentMalformed, LimitExceeded, StoreFull
from kizuna.node.contribution import (
    MAX_MANIFEST_BYTES,
    Contribution,
    Manifest,
    fetch,
    fetch_boundary,
    group_receipts,
    limits_of,
    publish,
)
from kizuna.rl.state import Boundary
from kizuna.store import DAG_CBOR, Cid, Fetcher, MemoryBlocks, dagcbor, unixfs
from kizuna.store.gateway import Gateway
from kizuna.toploc.receipts import write_leaves, write_receipts
from kizuna.types import Check, Digest, Finding, Reason

CHAIN, ROUNDS = 31337, bytes(range(20))


@pytest.fixture(scope="module")
def published() -> tuple[MemoryBlocks, Digest, Manifest]:
    blocks = MemoryBlocks()
    digest, manifest = publish(blocks, trained(), config(), chain=CHAIN, rounds=ROUNDS, numerics_id=numerics())
    return blocks, digest, manifest


def copy_of(blocks: MemoryBlocks, manifest: Manifest, into: MemoryBlocks) -> Roots:
    """Stores a (changed) manifest beside what the original links to; the roots to commit for it."""
    for link in (manifest.receipts, manifest.leaves, manifest.rollouts, manifest.update):
        for cid in (link, *_children(blocks, link)):
            data = blocks.get(cid)
            if data is not None:
                into.put(cid, data)
    encoded = manifest.encode()
    cid = Cid.of(encoded, DAG_CBOR)
    into.put(cid, encoded)
    return Digest(cid.digest), manifest.receipt_root, manifest.leaf_root


def _children(blocks: MemoryBlocks, cid: Cid) -> list[Cid]:
    from kizuna.store import dag

    return [child for child, _ in dag.walk(blocks, cid)]


def load(blocks: MemoryBlocks, roots: Roots) -> Contribution | Finding:
    """As a checker would that finds everything in its store, and no source beside it."""
    fetcher = Fetcher(blocks, [], limits_of(context()))
    return fetch(context(), blocks, fetcher, roots, config(), chain=CHAIN, rounds=ROUNDS)


def finding(blocks: MemoryBlocks, roots: Roots) -> Finding:
    found = load(blocks, roots)
    assert isinstance(found, Finding)
    return found


def test_published_contribution_is_read_back_whole(published: tuple[MemoryBlocks, Digest, Manifest]) -> None:
    blocks, digest, manifest = published
    found = load(blocks, (digest, manifest.receipt_root, manifest.leaf_root))
    assert isinstance(found, Contribution)
    assert found.manifest == manifest
    assert found.receipts == trained().receipts
    assert found.leaves == trained().leaves
    assert [g.proof for g in found.groups] == [g.proof for g in trained().groups]
    assert [r.group for r in group_receipts(found, 3, config())] == [3] * config().completions


def test_boundaries_are_not_part_of_a_pin_of_the_manifest(published: tuple[MemoryBlocks, Digest, Manifest]) -> None:
    blocks, digest, manifest = published
    below = {cid.digest for cid in _children(blocks, Cid(digest, DAG_CBOR))}
    assert manifest.update.digest in below
    assert not below & set(manifest.boundaries)


def test_boundary_is_read_by_the_digests_of_its_leaf(published: tuple[MemoryBlocks, Digest, Manifest]) -> None:
    blocks, _, manifest = published
    fetcher = Fetcher(blocks, [], limits_of(context()))
    leaves = trained().leaves
    found = fetch_boundary(context(), blocks, fetcher, leaves[1], manifest.boundaries[1])
    assert isinstance(found, Boundary)
    assert found.files() == trained().boundaries[1].files()
    other = fetch_boundary(context(), blocks, fetcher, leaves[2], manifest.boundaries[1])
    assert isinstance(other, Finding)
    assert (other.check, other.item, other.reason) == (Check.AVAILABLE, 2, Reason.WRONG_HASH)


def test_boundary_that_nobody_serves_is_unavailable(published: tuple[MemoryBlocks, Digest, Manifest]) -> None:
    empty = MemoryBlocks()
    fetcher = Fetcher(empty, [], limits_of(context()))
    found = fetch_boundary(context(), empty, fetcher, trained().leaves[1], published[2].boundaries[1])
    assert isinstance(found, Finding)
    assert (found.check, found.reason) == (Check.AVAILABLE, Reason.UNAVAILABLE)


class NearlyFull(MemoryBlocks):
    """A store on a disk with room for so many blocks."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def put(self, cid: Cid, block: bytes) -> None:
        if len(list(self.digests())) >= self.room:
            raise StoreFull("no bytes left")
        super().put(cid, block)


@pytest.mark.parametrize("room", [0, 1, 3])
def test_disk_of_the_reader_that_is_full_is_no_fault_of_the_trainers(
    published: tuple[MemoryBlocks, Digest, Manifest], room: int
) -> None:
    blocks, digest, manifest = published
    roots = (digest, manifest.receipt_root, manifest.leaf_root)
    with Gateway(blocks) as gateway:
        full = NearlyFull(room)
        fetcher = Fetcher(full, [gateway.url], limits_of(context()))
        with pytest.raises(StoreFull):
            fetch(context(), full, fetcher, roots, config(), chain=CHAIN, rounds=ROUNDS)
        with pytest.raises(StoreFull):
            fetch_boundary(context(), full, fetcher, trained().leaves[1], manifest.boundaries[1])


def test_manifest_that_nobody_serves_is_unavailable_as_a_whole() -> None:
    roots = (Digest(b"\x05" * 32), Digest(b"\x06" * 32), Digest(b"\x07" * 32))
    found = finding(MemoryBlocks(), roots)
    assert (found.check, found.item, found.reason) == (Check.AVAILABLE, config().segments, Reason.UNAVAILABLE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"chain": 1}, Reason.WRONG_CONTEXT),
        ({"rounds": bytes(20)}, Reason.WRONG_CONTEXT),
        ({"task": 2}, Reason.WRONG_CONTEXT),
        ({"round": 2}, Reason.WRONG_CONTEXT),
        ({"slot": 1}, Reason.WRONG_CONTEXT),
        ({"base": Digest(bytes(32))}, Reason.WRONG_BASE),
        ({"numerics_id": Digest(bytes(32))}, Reason.WRONG_CONTEXT),
        ({"receipt_count": 1}, Reason.WRONG_COUNT),
        ({"boundaries": ()}, Reason.WRONG_COUNT),
        ({"receipt_root": Digest(bytes(32))}, Reason.WRONG_ROOT),
        ({"leaf_root": Digest(bytes(32))}, Reason.WRONG_ROOT),
    ],
)
def test_manifest_of_something_else_is_refused(
    published: tuple[MemoryBlocks, Digest, Manifest], change: dict[str, object], reason: Reason
) -> None:
    blocks, _, manifest = published
    into = MemoryBlocks()
    roots = copy_of(blocks, replace(manifest, **change), into)  # type: ignore[arg-type]
    found = finding(into, roots)
    assert (found.check, found.reason) == (Check.UPDATE, reason)


def test_manifest_that_repeats_other_roots_than_were_committed_is_refused(
    published: tuple[MemoryBlocks, Digest, Manifest],
) -> None:
    blocks, digest, manifest = published
    assert finding(blocks, (digest, manifest.leaf_root, manifest.receipt_root)).reason is Reason.WRONG_ROOT


def test_files_that_are_not_what_they_are_named_for_are_malformed(
    published: tuple[MemoryBlocks, Digest, Manifest],
) -> None:
    blocks, _, manifest = published
    for field in ("receipts", "leaves", "rollouts", "update"):
        into = MemoryBlocks()
        rubbish = unixfs.add_bytes(into, b"\x80\x04rubbish" * 40)
        roots = copy_of(blocks, replace(manifest, **{field: rubbish}), into)  # type: ignore[arg-type]
        found = finding(into, roots)
        assert (found.check, found.reason) == (Check.UPDATE, Reason.MALFORMED), field


def test_one_receipt_or_leaf_less_is_a_wrong_count(published: tuple[MemoryBlocks, Digest, Manifest]) -> None:
    blocks, _, manifest = published
    fewer = {"receipts": write_receipts(trained().receipts[:-1]), "leaves": write_leaves(trained().leaves[:-1])}
    for field, data in fewer.items():
        into = MemoryBlocks()
        link = unixfs.add_bytes(into, data)
        roots = copy_of(blocks, replace(manifest, **{field: link}), into)  # type: ignore[arg-type]
        assert finding(into, roots).reason is Reason.WRONG_COUNT, field


def test_contribution_above_the_tasks_limits_is_refused_before_it_is_fetched(
    published: tuple[MemoryBlocks, Digest, Manifest],
) -> None:
    blocks, _, manifest = published
    into = MemoryBlocks()
    huge = unixfs.add_bytes(into, bytes(limits_of(context()).max_bytes + 1))
    roots = copy_of(blocks, replace(manifest, rollouts=huge), into)
    assert finding(into, roots).reason is Reason.TOO_LARGE


def test_honest_contribution_stays_far_within_the_limits(published: tuple[MemoryBlocks, Digest, Manifest]) -> None:
    blocks, digest, _ = published
    weight = sum(len(blocks.get(cid) or b"") for cid in _children(blocks, Cid(digest, DAG_CBOR)))
    assert weight < limits_of(context()).max_bytes / 2


def test_manifest_is_decoded_only_in_its_one_form(published: tuple[MemoryBlocks, Digest, Manifest]) -> None:
    _, _, manifest = published
    record = dagcbor.decode(manifest.encode(), max_bytes=MAX_MANIFEST_BYTES)
    assert isinstance(record, dict)
    changes: list[dict[str, object]] = [
        {"v": 2},
        {"kind": "task"},
        {"slot": True},
        {"slot": -1},
        {"slot": 1 << 64},
        {"base": b"short"},
        {"rounds": bytes(32)},
        {"update": bytes(32)},
        {"receipts": "text"},
        {"boundaries": [b"short"]},
        {"boundaries": b"not a list"},
        {"extra": 1},
    ]
    for change in changes:
        with pytest.raises(ContentMalformed):
            Manifest.decode(dagcbor.encode({**record, **change}))  # type: ignore[dict-item]
    with pytest.raises(ContentMalformed):
        Manifest.decode(dagcbor.encode({k: v for k, v in record.items() if k != "leaves"}))
    with pytest.raises(LimitExceeded):
        Manifest.decode(bytes(MAX_MANIFEST_BYTES + 1))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_break_the_manifest_parser(
    published: tuple[MemoryBlocks, Digest, Manifest], data: st.DataObject
) -> None:
    good = bytearray(published[2].encode())
    at = data.draw(st.integers(0, len(good) - 1))
    good[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with suppress(ContentMalformed, LimitExceeded):
        assert Manifest.decode(bytes(good)).encode() == bytes(good)
