"""A mirror pulls and pins what an operator's key asks for, once, within its limits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from scripted_gateways import ScriptedGateway, honest, lying, silent

from kizuna.errors import ContentMalformed, StoreError
from kizuna.store import Cid, FlatFs, Limits, MemoryBlocks, Patience, Pin, Pins, dag, unixfs
from kizuna.store.gateway import Gateway
from kizuna.store.mirror import Mirror, PullRefused, PullRequest, PullState, Wanted, request_pull

OPERATOR = Account.from_key(b"\x01" * 32)
STRANGER = Account.from_key(b"\x02" * 32)
LIMITS = Limits(max_bytes=8 << 20)
QUICK = Patience(connect_s=1.0, hedge_s=0.1, stall_s=0.5, block_s=1.0, total_s=10.0)


class Stage:
    """A source that holds a directory, and a mirror that may pull from it."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path, self.stack = path, stack
        self.source_blocks = MemoryBlocks()
        self.root = unixfs.add_directory(self.source_blocks, {"a": b"small", "b": bytes(2_000_000)})
        self.source = stack.enter_context(ScriptedGateway(honest, self.source_blocks))
        self.pins = Pins(FlatFs(path / "blocks"), path / "pins.sqlite")
        stack.callback(self.pins.close)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def mirror(self, **options: Any) -> str:
        """Start a mirror; its address."""

        def authorize(address: str, body: Mapping[str, Any]) -> bool:
            self.asked.append((address, body))
            return address == OPERATOR.address

        options = {"authorize": authorize, "limits": LIMITS, "patience": QUICK, **options}
        mirror = Mirror(self.pins, self.path / "mirror.sqlite", **options)
        self.stack.callback(mirror.close)
        gateway = Gateway(self.pins.blocks, routes=mirror.routes)
        self.stack.callback(gateway.close)
        return gateway.url

    def body(self, account: Any = OPERATOR, **changes: Any) -> dict[str, Any]:
        """A signed request; changes are made after it was signed."""
        request = PullRequest((Wanted(self.root),), self.source.url, "round 1", 7)
        signed: dict[str, Any] = json.loads(request.signed_by(account))
        return {**signed, **changes}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(tmp_path, stack)


Post = Callable[..., httpx.Response]


@pytest.fixture
def post() -> Post:
    return lambda url, body: httpx.post(f"{url}/pull", json=body, trust_env=False, timeout=20)


def test_what_an_operator_asks_for_is_held_pinned_and_served(stage: Stage) -> None:
    url = stage.mirror()
    state = request_pull(url, OPERATOR, cids=[stage.root], source=stage.source.url, label="round 1")

    assert (state.state, state.held, state.failed) == ("held", (stage.root,), ())
    assert dag.missing(stage.pins.blocks, stage.root) == []
    assert stage.pins.roots() == (Pin(stage.root, f"{OPERATOR.address}/round 1"),)
    assert httpx.get(f"{url}/ipfs/{stage.root}?format=raw", trust_env=False).status_code == 200
    ((address, body),) = stage.asked
    assert address == OPERATOR.address
    assert body["cids"] == [{"cid": str(stage.root), "recursive": True}]
    assert (body["source"], body["label"]) == (stage.source.url, "round 1")


def test_a_root_alone_can_be_asked_for(stage: Stage) -> None:
    state = request_pull(stage.mirror(), OPERATOR, cids=[Wanted(stage.root, False)], source=stage.source.url, label="x")
    assert state.held == (stage.root,)
    assert list(stage.pins.blocks.digests()) == [stage.root.digest]
    assert stage.pins.roots() == (Pin(stage.root, f"{OPERATOR.address}/x", False),)


def test_what_the_source_does_not_hold_is_named_and_the_rest_is_held(stage: Stage) -> None:
    gone = Cid.of(b"gone")
    state = request_pull(stage.mirror(), OPERATOR, cids=[gone, stage.root], source=stage.source.url, label="x")
    assert state.state == "failed"
    assert state.held == (stage.root,)
    ((cid, reason),) = state.failed
    assert cid == gone
    assert "does not have it" in reason
    assert [pin.cid for pin in stage.pins.roots()] == [stage.root]


def test_nothing_is_pinned_from_a_source_that_lies(stage: Stage) -> None:
    liar = stage.stack.enter_context(ScriptedGateway(lying, stage.source_blocks))
    state = request_pull(stage.mirror(), OPERATOR, cids=[stage.root], source=liar.url, label="x")
    assert state.state == "failed"
    assert "served other bytes" in state.failed[0][1]
    assert stage.pins.roots() == ()
    assert list(stage.pins.blocks.digests()) == []


def test_limits_are_those_of_the_request_as_a_whole(stage: Stage) -> None:
    roots = [unixfs.add_bytes(stage.source_blocks, bytes([i]) * 1_000_000) for i in range(4)]
    url = stage.mirror(limits=Limits(max_bytes=2_500_000))
    state = request_pull(url, OPERATOR, cids=roots, source=stage.source.url, label="x")
    assert state.held == tuple(roots[:2])
    assert ["more than" in reason for _, reason in state.failed] == [True, True]


def test_a_stranger_is_refused(stage: Stage, post: Post) -> None:
    url = stage.mirror()
    with pytest.raises(PullRefused, match="may not") as caught:
        request_pull(url, STRANGER, cids=[stage.root], source=stage.source.url, label="x")
    assert caught.value.status == 403
    assert sum(stage.source.asked.values()) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"label": "round 2"},
        {"counter": 8},
        {"source": "http://127.0.0.1:9"},
        {"cids": [{"cid": str(Cid.of(b"other")), "recursive": True}]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_request_that_was_changed_is_not_the_operators(stage: Stage, post: Post, changes: dict[str, Any]) -> None:
    assert post(stage.mirror(), stage.body(**changes)).status_code == 403
    assert OPERATOR.address not in [address for address, _ in stage.asked]


@pytest.mark.parametrize(
    "changes",
    [
        {"cids": []},
        {"cids": "all"},
        {"cids": [{"cid": "nonsense", "recursive": True}]},
        {"cids": [{"cid": str(Cid.of(b""))}]},
        {"cids": [{"cid": str(Cid.of(b"")), "recursive": 1}]},
        {"source": "file:///etc/passwd"},
        {"source": "http://user@host"},
        {"source": "http://host/"},
        {"source": 5},
        {"label": ""},
        {"label": "x" * 129},
        {"label": "a\x1bb"},
        {"counter": 0},
        {"counter": True},
        {"counter": 1.5},
        {"counter": 2**63},
        {"signature": ""},
        {"signature": "0x" + "00" * 65},
        {"signature": "0x1234"},
        {"signature": None},
        {"more": 1},
    ],
    ids=str,
)
def test_malformed_requests_are_refused(stage: Stage, post: Post, changes: dict[str, Any]) -> None:
    assert post(stage.mirror(), stage.body(**changes)).status_code == 400
    assert stage.asked == []


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_object_is_refused(stage: Stage, data: bytes) -> None:
    assert httpx.post(f"{stage.mirror()}/pull", content=data, trust_env=False).status_code == 400


def test_a_body_that_is_too_large_is_refused(stage: Stage) -> None:
    assert httpx.post(f"{stage.mirror()}/pull", content=bytes(300_000), trust_env=False).status_code == 413


def test_the_same_request_again_is_the_same_pull_and_an_older_one_is_a_replay(stage: Stage, post: Post) -> None:
    url = stage.mirror()
    first = post(url, stage.body())
    asked = sum(stage.source.asked.values())
    assert (first.status_code, first.json()["state"]) == (200, "held")
    assert post(url, stage.body()).json() == first.json()
    assert sum(stage.source.asked.values()) == asked

    older = PullRequest((Wanted(stage.root),), stage.source.url, "older", 6).signed_by(OPERATOR)
    assert httpx.post(f"{url}/pull", content=older, trust_env=False).status_code == 409
    newer = PullRequest((Wanted(stage.root),), stage.source.url, "newer", 8).signed_by(OPERATOR)
    assert httpx.post(f"{url}/pull", content=newer, trust_env=False).status_code == 200


def test_a_replay_is_refused_after_a_restart_too(stage: Stage, post: Post) -> None:
    assert post(stage.mirror(), stage.body()).status_code == 200
    assert post(stage.mirror(), stage.body()).status_code == 409


def test_a_pull_that_takes_long_is_reported_as_under_way_and_can_be_waited_for(stage: Stage) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def waiting(gateway: ScriptedGateway, handler: Any, cid: Cid) -> None:
        begun.set()
        go_on.wait(20)
        honest(gateway, handler, cid)

    slow = stage.stack.enter_context(ScriptedGateway(waiting, stage.source_blocks))
    patience = Patience(stall_s=20.0, total_s=20.0)
    url = stage.mirror(respond_within_s=0.05, patience=patience)
    ask: dict[str, Any] = {"cids": [stage.root], "source": slow.url, "label": "x", "counter": 1}

    state = request_pull(url, OPERATOR, **ask, wait_s=0.2)
    assert (state.state, state.done) == ("pulling", False)
    assert begun.wait(5)
    assert httpx.get(f"{url}/pull/{state.id}", trust_env=False).status_code == 202
    go_on.set()
    assert request_pull(url, OPERATOR, **ask, wait_s=20.0).state == "held"
    assert httpx.get(f"{url}/pull/{state.id}", trust_env=False).json()["state"] == "held"


def test_one_operator_cannot_keep_the_others_out(stage: Stage) -> None:
    quiet = stage.stack.enter_context(ScriptedGateway(silent))
    url = stage.mirror(
        authorize=lambda *_: True, respond_within_s=0.01, workers=3, patience=Patience(stall_s=20.0, total_s=20.0)
    )
    ask: dict[str, Any] = {"source": quiet.url, "label": "x", "wait_s": 0.05}
    for i in range(2):
        request_pull(url, OPERATOR, cids=[Cid.of(bytes([i]))], **ask)
    with pytest.raises(PullRefused, match="too many") as caught:
        request_pull(url, OPERATOR, cids=[Cid.of(b"third")], **ask)
    assert caught.value.status == 429
    other = request_pull(url, STRANGER, cids=[stage.root], source=stage.source.url, label="x", wait_s=20.0)
    assert other.state == "held"
    quiet.released.set()


def test_an_unknown_pull_is_404(stage: Stage) -> None:
    assert httpx.get(f"{stage.mirror()}/pull/unknown", trust_env=False).status_code == 404


def test_a_mirror_that_cannot_be_reached_is_one_error(stage: Stage) -> None:
    with Gateway(MemoryBlocks()) as closed:
        pass
    with pytest.raises(StoreError, match="cannot be asked"):
        request_pull(closed.url, OPERATOR, cids=[stage.root], source=stage.source.url, label="x")
    with Gateway(MemoryBlocks()) as no_mirror, pytest.raises(PullRefused):
        request_pull(no_mirror.url, OPERATOR, cids=[stage.root], source=stage.source.url, label="x")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"state": "done"}', b'{"id": 1, "state": "held", "held": [1]}'])
def test_a_malformed_answer_of_a_mirror_is_refused(data: bytes) -> None:
    with pytest.raises(ContentMalformed):
        PullState.parse(data)
