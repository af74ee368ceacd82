"""Fetching from sources nobody trusts: the right bytes arrive, bad sources cost time only and are named."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from scripted_gateways import (
    Script,
    ScriptedGateway,
    absent,
    breaking_off,
    endless,
    honest,
    lying,
    redirecting,
    refusing,
    silent,
    trickling,
)

from kizuna.errors import ContentMalformed, ContentMissing, LimitExceeded, StoreError, StoreFull
from kizuna.store import (
    DAG_CBOR,
    DAG_PB,
    BlocksMissing,
    Cid,
    FaultKind,
    Fetched,
    Fetcher,
    Limits,
    MemoryBlocks,
    Patience,
    dag,
    dagcbor,
    unixfs,
)
from kizuna.store.gateway import Gateway

LIMITS = Limits(max_bytes=64 << 20)
QUICK = Patience(connect_s=1.0, hedge_s=0.15, stall_s=0.6, block_s=1.0, total_s=20.0)

Start = Callable[..., ScriptedGateway]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda script, blocks=None: stack.enter_context(ScriptedGateway(script, blocks))


@pytest.fixture(scope="module")
def held() -> tuple[MemoryBlocks, Cid]:
    """A manifest over a directory with 24 small files and one of three chunks."""
    blocks = MemoryBlocks()
    files = {f"part-{i}": bytes([i]) * 5000 for i in range(24)}
    folder = unixfs.add_directory(blocks, {**files, "big": os.urandom(2_500_000)})
    block = dagcbor.encode({"folder": folder})
    root = Cid.of(block, DAG_CBOR)
    blocks.put(root, block)
    return blocks, root


def size_of(blocks: MemoryBlocks, root: Cid) -> Fetched:
    sizes = [len(block or b"") for _, block in dag.walk(blocks, root)]
    return Fetched(sum(sizes), len(sizes))


def dead_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


# --- the plain case ---------------------------------------------------------------------------------------------------


def test_a_dag_arrives_whole_and_every_block_is_asked_for_once(held: tuple[MemoryBlocks, Cid], start: Start) -> None:
    blocks, root = held
    source, mine = start(honest, blocks), MemoryBlocks()
    fetcher = Fetcher(mine, [source.url], LIMITS)

    assert fetcher.fetch_dag(root) == size_of(blocks, root) == fetcher.spent
    assert dag.missing(mine, root) == []
    assert set(source.asked.values()) == {1}
    assert fetcher.faults == ()


def test_what_is_here_is_not_fetched_again(held: tuple[MemoryBlocks, Cid], start: Start) -> None:
    blocks, root = held
    source, mine = start(honest, blocks), MemoryBlocks()
    for cid, block in list(dag.walk(blocks, root))[::2]:
        mine.put(cid, block or b"")
    already = set(mine.digests())

    assert Fetcher(mine, [source.url], LIMITS).fetch_dag(root) == size_of(blocks, root)
    assert not already & {cid.digest for cid in source.asked}
    assert Fetcher(mine, [], LIMITS).fetch_dag(root) == size_of(blocks, root)  # needs no source at all


def test_ten_megabytes_from_a_gateway_take_well_under_a_second() -> None:
    blocks, data = MemoryBlocks(), os.urandom(10 << 20)
    cid = unixfs.add_bytes(blocks, data)
    with Gateway(blocks) as gateway:
        began = time.monotonic()
        assert Fetcher(MemoryBlocks(), [gateway.url], LIMITS).fetch_file(cid, len(data)) == data
        assert time.monotonic() - began < 5.0  # far above what it takes, for machines under load


def test_a_block_and_a_file_can_be_had_alone(held: tuple[MemoryBlocks, Cid], start: Start) -> None:
    blocks, root = held
    source, mine = start(honest, blocks), MemoryBlocks()
    fetcher = Fetcher(mine, [source.url], LIMITS)
    assert fetcher.fetch_block(root) == blocks.get(root)
    assert list(mine.digests()) == [root.digest]
    (folder,) = dag.links_of(root, blocks.get(root) or b"")
    big = unixfs.resolve(blocks, folder, "big")
    assert fetcher.fetch_file(big, 2_500_000) == unixfs.read(blocks, big, max_bytes=2_500_000)


def test_it_may_be_called_from_inside_an_event_loop(held: tuple[MemoryBlocks, Cid], start: Start) -> None:
    blocks, root = held
    source = start(honest, blocks)

    async def inside() -> bytes:
        return Fetcher(MemoryBlocks(), [source.url], LIMITS).fetch_block(root)

    assert asyncio.run(inside()) == blocks.get(root)


# --- bad sources ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "kinds"),
    [
        (lying, {FaultKind.LYING}),
        (absent, {FaultKind.ABSENT}),
        (refusing, {FaultKind.REFUSED}),
        (redirecting, {FaultKind.REFUSED}),
        (silent, {FaultKind.SILENT}),
        (trickling, {FaultKind.SLOW}),
        (breaking_off, {FaultKind.BROKEN}),
        (endless, {FaultKind.LYING}),
    ],
)
def test_a_bad_source_is_named_and_the_honest_one_wins(
    held: tuple[MemoryBlocks, Cid], start: Start, script: Script, kinds: set[FaultKind]
) -> None:
    blocks, root = held
    bad, good, mine = start(script, blocks), start(honest, blocks), MemoryBlocks()
    fetcher = Fetcher(mine, [bad.url, good.url], LIMITS, patience=QUICK)

    fetcher.fetch_dag(root)
    assert dag.missing(mine, root) == []
    assert {(fault.source, fault.kind) for fault in fetcher.faults} == {(bad.url, kind) for kind in kinds}
    assert good.sent <= size_of(blocks, root).total_bytes  # nothing twice


@pytest.mark.parametrize(
    "script", [lying, absent, refusing, redirecting, silent, trickling, breaking_off, endless, None]
)
def test_with_a_bad_source_alone_it_ends_with_the_list_of_what_is_missing(
    held: tuple[MemoryBlocks, Cid], start: Start, script: Script | None
) -> None:
    blocks, root = held
    mine = MemoryBlocks()
    url = start(script, blocks).url if script else dead_url()
    with pytest.raises(ContentMissing, match=url) as caught:
        Fetcher(mine, [url], LIMITS, patience=QUICK).fetch_dag(root)
    assert isinstance(caught.value, BlocksMissing)
    assert caught.value.missing == (root,)
    assert list(mine.digests()) == []


def test_among_all_kinds_of_liars_one_honest_source_is_enough(held: tuple[MemoryBlocks, Cid], start: Start) -> None:
    blocks, root = held
    scripts = [lying, absent, refusing, silent, trickling, breaking_off, endless]
    urls = [dead_url(), *(start(script, blocks).url for script in scripts)]
    good, mine = start(honest, blocks), MemoryBlocks()
    fetcher = Fetcher(mine, [*urls, good.url], LIMITS, patience=QUICK)

    fetcher.fetch_dag(root)
    assert dag.missing(mine, root) == []
    assert good.url not in {fault.source for fault in fetcher.faults}
    assert good.sent <= 1.1 * size_of(blocks, root).total_bytes


def test_a_liar_is_never_asked_again(held: tuple[MemoryBlocks, Cid], start: Start) -> None:
    blocks, root = held
    liar, mine = start(lying, blocks), MemoryBlocks()
    fetcher = Fetcher(mine, [liar.url], LIMITS, patience=QUICK)
    for _ in range(2):
        with pytest.raises(BlocksMissing):
            fetcher.fetch_block(root)
    assert fetcher.barred == (liar.url,)
    assert sum(liar.asked.values()) == 1


def test_a_source_that_is_only_slow_is_kept(held: tuple[MemoryBlocks, Cid], start: Start) -> None:
    blocks, root = held

    def slow(gateway: ScriptedGateway, handler: Any, cid: Cid) -> None:
        gateway.released.wait(0.25)  # beyond the time after which another is asked
        honest(gateway, handler, cid)

    late, void, mine = start(slow, blocks), start(absent, blocks), MemoryBlocks()
    fetcher = Fetcher(mine, [void.url, late.url], LIMITS, patience=QUICK)
    fetcher.fetch_dag(root)
    assert dag.missing(mine, root) == []
    assert late.url not in {fault.source for fault in fetcher.faults}
    assert late.sent == size_of(blocks, root).total_bytes


def test_a_dag_that_two_sources_hold_half_of_each_is_put_together(held: tuple[MemoryBlocks, Cid], start: Start) -> None:
    blocks, root = held
    halves = [MemoryBlocks(), MemoryBlocks()]
    for i, (cid, block) in enumerate(dag.walk(blocks, root)):
        halves[i % 2].put(cid, block or b"")
    mine = MemoryBlocks()
    Fetcher(mine, [start(honest, half).url for half in halves], LIMITS, patience=QUICK).fetch_dag(root)
    assert dag.missing(mine, root) == []


def test_what_arrived_stays_and_only_the_rest_is_listed_and_fetched_later(
    held: tuple[MemoryBlocks, Cid], start: Start
) -> None:
    blocks, root = held
    partial, lost = MemoryBlocks(), []
    for i, (cid, block) in enumerate(dag.walk(blocks, root)):
        if i > 1 and i % 5 == 0:
            lost.append(cid)
        else:
            partial.put(cid, block or b"")
    mine, source = MemoryBlocks(), start(honest, partial)
    fetcher = Fetcher(mine, [source.url], LIMITS, patience=QUICK)
    with pytest.raises(BlocksMissing) as caught:
        fetcher.fetch_dag(root)
    assert set(caught.value.missing) == set(lost)

    source.blocks = blocks  # the source comes to hold the rest
    source.asked.clear()
    fetcher.fetch_dag(root)
    assert set(source.asked) == set(lost)


def test_a_source_that_comes_back_while_another_keeps_silent_is_used(
    held: tuple[MemoryBlocks, Cid], start: Start
) -> None:
    blocks, root = held
    port = int(dead_url().rsplit(":", 1)[1])
    late_url = f"http://127.0.0.1:{port}"
    gateways: list[Gateway] = []

    def silent_until_the_other_is_up(gateway: ScriptedGateway, handler: Any, cid: Cid) -> None:
        if not gateways:
            gateways.append(Gateway(blocks, port=port))
        silent(gateway, handler, cid)

    quiet, mine = start(silent_until_the_other_is_up), MemoryBlocks()
    patience = Patience(connect_s=1.0, hedge_s=0.1, stall_s=5.0, total_s=20.0, connections=1)
    Fetcher(mine, [late_url, quiet.url], LIMITS, patience=patience).fetch_dag(root)
    gateways[0].close()
    assert dag.missing(mine, root) == []


def test_a_call_ends_in_bounded_time(held: tuple[MemoryBlocks, Cid], start: Start) -> None:
    blocks, root = held
    patience = Patience(stall_s=60.0, block_s=60.0, total_s=0.3)
    with pytest.raises(BlocksMissing, match=r"within 0\.3 s"):
        Fetcher(MemoryBlocks(), [start(silent, blocks).url], LIMITS, patience=patience).fetch_block(root)


# --- limits and hostile content ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limits",
    [Limits(max_bytes=100_000), Limits(max_bytes=1 << 30, max_blocks=5), Limits(max_bytes=1 << 30, max_depth=1)],
)
def test_limits_hold_while_fetching(held: tuple[MemoryBlocks, Cid], start: Start, limits: Limits) -> None:
    blocks, root = held
    source = start(honest, blocks)
    with pytest.raises(LimitExceeded):
        Fetcher(MemoryBlocks(), [source.url], limits).fetch_dag(root)
    assert sum(source.asked.values()) < len(list(blocks.digests()))


def test_a_file_that_says_it_is_too_large_costs_one_block(start: Start) -> None:
    blocks = MemoryBlocks()
    cid = unixfs.add_bytes(blocks, os.urandom(3_000_000))
    source = start(honest, blocks)
    with pytest.raises(LimitExceeded):
        Fetcher(MemoryBlocks(), [source.url], LIMITS).fetch_file(cid, 2_999_999)
    assert sum(source.asked.values()) == 1


def test_malformed_content_is_refused_whoever_serves_it(start: Start) -> None:
    blocks = MemoryBlocks()
    for block, codec in ((b"\xa2\x61b\x01\x61a\x02", DAG_CBOR), (b"\x0a\x02\x08\x05", DAG_PB)):
        cid = Cid.of(block, codec)
        blocks.put(cid, block)
        source = start(honest, blocks)
        fetcher = Fetcher(MemoryBlocks(), [source.url], LIMITS)
        with pytest.raises(ContentMalformed):
            fetcher.fetch_dag(cid)
        assert fetcher.barred == ()  # the bytes were those asked for: whoever published them is to blame


def test_compressed_answers_are_not_unpacked(start: Start) -> None:
    def packed(gateway: ScriptedGateway, handler: Any, cid: Cid) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", "5")
        handler.end_headers()
        handler.wfile.write(b"plain")

    fetcher = Fetcher(MemoryBlocks(), [start(packed).url], LIMITS)
    assert fetcher.fetch_block(Cid.of(b"plain")) == b"plain"


def test_a_full_disk_ends_the_call(held: tuple[MemoryBlocks, Cid], start: Start) -> None:
    class FullBlocks(MemoryBlocks):
        def put(self, cid: Cid, block: bytes) -> None:
            raise StoreFull("no bytes left")

    blocks, root = held
    with pytest.raises(StoreFull):
        Fetcher(FullBlocks(), [start(honest, blocks).url], LIMITS).fetch_dag(root)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://host",
        "file:///etc/passwd",
        "http://",
        "//host",
        "http://user:secret@host",
        "http://host/?q",
        "http://host/#x",
        "http://host:0",
        "http://host:99999",
        "http://ho\nst",
    ],
)
def test_only_plain_http_addresses_are_sources(url: str) -> None:
    with pytest.raises(StoreError):
        Fetcher(MemoryBlocks(), [url], LIMITS)
