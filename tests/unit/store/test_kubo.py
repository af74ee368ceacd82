"""A Kubo node of the operator's holds and pins the same blocks; over the wire, and over a real node in deep runs."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.kubo_daemon import KuboDaemon
from support.kubo_rpc import Answer, Call, KuboRpc, only_file

from kizuna.errors import BlockCorrupt, ConfigError, ContentMissing, LimitExceeded, StoreError
from kizuna.store import (
    DAG_CBOR,
    DAG_PB,
    MAX_BLOCK_BYTES,
    RAW,
    BlocksMissing,
    Cid,
    FlatFs,
    Limits,
    MemoryBlocks,
    dag,
    dagcbor,
    unixfs,
)
from kizuna.store.kubo import Kubo

LIMITS = Limits(max_bytes=64 << 20)


@pytest.fixture
def rpc(tmp_path: Path) -> Iterator[KuboRpc]:
    server = KuboRpc(FlatFs(tmp_path / "node"))
    yield server
    server.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[KuboDaemon]:
    running = KuboDaemon(tmp_path / "repository")
    yield running
    running.close()


@pytest.fixture(params=["rpc", pytest.param("daemon", marks=pytest.mark.deep)])
def node(request: pytest.FixtureRequest) -> Kubo:
    """Kubo's RPC; in deep runs also the node that KUBO_API names, or one of our own."""
    if request.param == "daemon" and "KUBO_API" in os.environ:
        return Kubo(os.environ["KUBO_API"])
    return Kubo(request.getfixturevalue(request.param).address)


def folder() -> tuple[MemoryBlocks, Cid]:
    """A directory that no node has seen, with a file of several blocks."""
    blocks = MemoryBlocks()
    return blocks, unixfs.add_directory(
        blocks, {"small": secrets.token_bytes(9), "large": secrets.token_bytes(2_500_000)}
    )


# --- what every node does ---


def test_a_block_that_was_put_is_there(node: Kubo) -> None:
    block = secrets.token_bytes(1000)
    assert (node.get(Cid.of(block)), node.has(Cid.of(block))) == (None, False)
    node.put(Cid.of(block), block)
    node.put(Cid.of(block), block)
    assert (node.get(Cid.of(block)), node.has(Cid.of(block))) == (block, True)


def test_every_codec_is_put_under_its_own_id(node: Kubo) -> None:
    record = dagcbor.encode({"nonce": secrets.token_hex(8)})
    node.put(Cid.of(record, DAG_CBOR), record)
    assert node.get(Cid.of(record, DAG_CBOR)) == record
    source, root = folder()
    block = source.get(root)
    assert block is not None and root.codec == DAG_PB
    node.put(root, block)
    assert node.get(root) == block


def test_a_block_may_have_2_mib_and_no_byte_more(node: Kubo) -> None:
    largest = secrets.token_bytes(MAX_BLOCK_BYTES)
    node.put(Cid.of(largest), largest)
    assert node.get(Cid.of(largest)) == largest
    larger = largest + b"\0"
    with pytest.raises(LimitExceeded):
        node.put(Cid.of(larger), larger)
    assert not node.has(Cid.of(larger))


def test_bytes_of_another_id_are_refused(node: Kubo) -> None:
    cid = Cid.of(secrets.token_bytes(9))
    with pytest.raises(BlockCorrupt):
        node.put(cid, b"wrong")
    assert not node.has(cid)


def test_what_is_kept_is_whole_and_pinned(node: Kubo) -> None:
    source, root = folder()
    node.keep(source, root, limits=LIMITS)
    assert dag.missing(node, root, LIMITS) == []
    assert node.pinned(root)
    assert not node.pinned(root, recursive=False)


def test_a_root_is_kept_alone_if_asked(node: Kubo) -> None:
    source, root = folder()
    node.keep(source, root, recursive=False)
    assert node.has(root)
    assert node.pinned(root, recursive=False)
    assert not any(node.has(cid) for cid, _ in dag.walk(source, root) if cid != root)


def test_what_is_let_go_of_is_not_pinned_and_letting_go_twice_is_no_error(node: Kubo) -> None:
    source, root = folder()
    node.keep(source, root)
    node.unpin(root)
    node.unpin(root)
    assert not node.pinned(root)
    assert node.has(root)


def test_what_is_not_whole_is_not_pinned(node: Kubo) -> None:
    source, root = folder()
    block = source.get(root)
    assert block is not None
    node.put(root, block)
    with pytest.raises(ContentMissing, match="cannot pin"):
        node.pin(root)
    assert not node.pinned(root)


def test_what_the_source_lacks_is_named_and_nothing_is_pinned(node: Kubo) -> None:
    source, root = folder()
    lost = [cid for cid, _ in dag.walk(source, root) if cid.codec == RAW][-1]
    source.delete(lost)
    with pytest.raises(BlocksMissing, match=str(lost)):
        node.keep(source, root)
    assert not node.pinned(root)


def test_more_than_the_limits_is_not_pinned(node: Kubo) -> None:
    source, root = folder()
    with pytest.raises(LimitExceeded):
        node.keep(source, root, limits=Limits(max_bytes=1_000_000))
    assert not node.pinned(root)


# --- a real node ---


@pytest.mark.deep
def test_kubo_gives_a_folder_the_id_that_we_give_it(daemon: KuboDaemon, tmp_path: Path) -> None:
    files = {"a.txt": b"small", "empty": b"", "model.safetensors": secrets.token_bytes(3_000_000)}
    (tmp_path / "folder").mkdir()
    for name, content in files.items():
        (tmp_path / "folder" / name).write_bytes(content)
    source = MemoryBlocks()
    root = unixfs.add_directory(source, files)
    daemon.run("config", "profile", "apply", "unixfs-v1-2025")
    theirs = daemon.run("add", "--recursive", "--quieter", "--only-hash", str(tmp_path / "folder"))
    assert theirs.strip() == str(root)


@pytest.mark.deep
def test_kubo_reads_our_files_and_collects_only_what_is_not_pinned(daemon: KuboDaemon) -> None:
    node = Kubo(daemon.address)
    files = {"a.txt": b"kept", "large": secrets.token_bytes(2_500_000)}
    source, loose = MemoryBlocks(), secrets.token_bytes(100)
    root = unixfs.add_directory(source, files)
    node.keep(source, root)
    node.put(Cid.of(loose), loose)
    daemon.run("repo", "gc", "--quiet")
    assert daemon.run("cat", f"/ipfs/{root}/a.txt") == "kept"
    assert dag.missing(node, root, LIMITS) == []
    assert not node.has(Cid.of(loose))
    node.unpin(root)
    daemon.run("repo", "gc", "--quiet")
    assert not node.has(root)


# --- what goes over the wire, and what may come back ---


def scripted(rpc: KuboRpc, command: str, answer: Answer | Callable[[Call], Answer]) -> Kubo:
    """The node with one command that answers otherwise."""

    def script(call: Call) -> Answer | None:
        if call.command != command:
            return None
        return answer(call) if callable(answer) else answer

    rpc.node.script = script
    return Kubo(rpc.address)


def test_a_block_is_put_as_one_file_of_a_form_with_codec_and_hash_spelled_out(rpc: KuboRpc) -> None:
    block = b"--boundary\r\n\r\n\0" * 3
    Kubo(rpc.address).put(Cid.of(block, DAG_PB), block)
    (call,) = rpc.node.calls
    assert call.command == "block/put"
    assert (call.options["cid-codec"], call.options["mhtype"]) == ("dag-pb", "sha2-256")
    assert "allow-big-block" not in call.options
    assert only_file(call) == block


def test_nothing_is_asked_of_the_network_and_never_the_version(rpc: KuboRpc) -> None:
    source, root = folder()
    node = Kubo(rpc.address)
    node.keep(source, root)
    node.get(root)
    asked = {call.command for call in rpc.node.calls}
    assert asked == {"pin/ls", "block/stat", "block/put", "pin/add", "block/get"}
    searching = [call for call in rpc.node.calls if call.command in ("block/stat", "block/get", "pin/add")]
    assert all(call.options["offline"] == "true" for call in searching)


def test_what_the_node_has_is_not_sent_again(rpc: KuboRpc) -> None:
    source, root = folder()
    node = Kubo(rpc.address)
    node.keep(source, root)
    node.unpin(root)
    rpc.node.calls.clear()
    node.keep(source, root)
    assert "block/put" not in {call.command for call in rpc.node.calls}
    assert node.pinned(root)


def test_a_node_that_files_a_block_under_another_id_is_found_out(rpc: KuboRpc) -> None:
    node = scripted(rpc, "block/put", (200, {"Key": str(Cid.of(b"other")), "Size": 5}))
    with pytest.raises(BlockCorrupt, match="files"):
        node.put(Cid.of(b"block"), b"block")


def test_a_block_that_comes_back_damaged_counts_as_absent(rpc: KuboRpc) -> None:
    node = scripted(rpc, "block/get", (200, b"other"))
    node.put(Cid.of(b"block"), b"block")
    assert node.get(Cid.of(b"block")) is None


def test_a_block_that_is_too_large_is_not_asked_for(rpc: KuboRpc) -> None:
    cid = Cid.of(b"block")
    node = scripted(rpc, "block/stat", (200, {"Key": str(cid), "Size": MAX_BLOCK_BYTES + 1}))
    assert node.get(cid) is None
    assert [call.command for call in rpc.node.calls] == ["block/stat"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_says_which_setting_of_the_node_to_change(rpc: KuboRpc, status: int) -> None:
    node = scripted(rpc, "block/put", (status, b"403 - Forbidden\n"))
    with pytest.raises(StoreError, match=r"API\.Authorizations"):
        node.put(Cid.of(b"block"), b"block")


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"404 page not found\n"),
        (200, b"<html>a router</html>"),
        (200, b""),
        (200, {"Key": 5}),
        (200, {"Size": "large"}),
        (200, b"[1, 2]"),
        (500, {"Message": "disk I/O error", "Code": 0, "Type": "error"}),
        (500, b"{"),
    ],
)
def test_anything_but_an_answer_of_kubos_is_an_error_of_one_line(rpc: KuboRpc, answer: Answer) -> None:
    node = scripted(rpc, "block/stat", answer)
    with pytest.raises(StoreError) as raised:
        node.has(Cid.of(b"block"))
    assert rpc.address in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_node_that_is_gone_is_an_error(rpc: KuboRpc) -> None:
    rpc.close()
    with pytest.raises(StoreError, match="does not answer"):
        Kubo(rpc.address).has(Cid.of(b"block"))


def test_a_node_that_says_nothing_is_given_up(rpc: KuboRpc) -> None:
    over = threading.Event()

    def hang(call: Call) -> Answer:
        over.wait(30)
        return 200, {}

    scripted(rpc, "block/stat", hang)
    with pytest.raises(StoreError, match="TimeoutError"):
        Kubo(rpc.address, timeout_s=0.2).has(Cid.of(b"block"))
    over.set()


@pytest.mark.parametrize(
    "address", ["", "localhost:5001", "http://127.0.0.1:5001", "/ip4/127.0.0.1", "/ip4/1.2.3/tcp/5"]
)
def test_an_address_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(ConfigError, match="multiaddress"):
        Kubo(address)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipfshttpclient", None)
    with pytest.raises(ConfigError, match=r"kizuna\[ipfs\]"):
        Kubo("/ip4/127.0.0.1/tcp/5001")
