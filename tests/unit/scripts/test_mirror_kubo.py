"""`kizuna mirror --kubo`: what the mirror holds, the operator's Kubo node pins as well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.kubo_rpc import Answer, Call, KuboRpc
from support.tasks import cast

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.errors import ConfigError
from kizuna.store import Cid, FlatFs, MemoryBlocks, Pins, dag, unixfs
from kizuna.store.gateway import Gateway
from kizuna.store.kubo import Kubo
from kizuna.store.mirror import Wanted, request_pull
from scripts.mirror import pinned_by

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def rpc(tmp_path: Path) -> Iterator[KuboRpc]:
    server = KuboRpc(FlatFs(tmp_path / "node"))
    yield server
    server.close()


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Pins]:
    with ExitStack() as stack:
        held = Pins(FlatFs(tmp_path / "blocks"), tmp_path / "pins.sqlite")
        stack.callback(held.close)
        yield held


def pinned_folder(pins: Pins, text: bytes) -> Cid:
    root = unixfs.add_directory(pins.blocks, {"file": text})
    pins.pin(root, "task/1")
    return root


def test_roots_of_earlier_runs_and_new_ones_are_pinned(rpc: KuboRpc, pins: Pins) -> None:
    earlier = pinned_folder(pins, b"earlier")
    with pinned_by(Kubo(rpc.address), pins) as hand_over:
        new = pinned_folder(pins, b"new")
        hand_over(Wanted(new)).result(20)
    assert rpc.node.pins == {str(earlier): "recursive", str(new): "recursive"}
    assert not dag.missing(rpc.node.blocks, earlier) and not dag.missing(rpc.node.blocks, new)


def test_what_the_node_refuses_is_reported_and_the_next_root_goes_on(
    rpc: KuboRpc, pins: Pins, capsys: pytest.CaptureFixture[str]
) -> None:
    refused, taken = pinned_folder(pins, b"refused"), pinned_folder(pins, b"taken")

    def full(call: Call) -> Answer | None:
        if call.command == "pin/add" and call.options["arg"] == str(refused):
            return 500, {"Message": "no space left on device", "Code": 0, "Type": "error"}
        return None

    rpc.node.script = full
    with pinned_by(Kubo(rpc.address), pins) as hand_over:
        hand_over(Wanted(taken)).result(20)
    assert rpc.node.pins == {str(taken): "recursive"}
    said = capsys.readouterr().err
    assert str(refused) in said and "no space left on device" in said and said.count("\n") == 1


def test_without_a_node_the_mirror_does_not_start(rpc: KuboRpc, pins: Pins) -> None:
    rpc.close()
    with pytest.raises(ConfigError, match=r"--kubo: .* does not answer"), pinned_by(Kubo(rpc.address), pins):
        pass


def test_what_an_initiator_has_pulled_is_pinned_by_the_node(
    rpc: KuboRpc, devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna], tmp_path: Path
) -> None:
    people = cast(devnet, deployment, client)
    deployment.write(tmp_path)
    reached = threading.Event()
    blocks = MemoryBlocks()
    root = unixfs.add_directory(blocks, {"file": b"genesis"})

    def watch(call: Call) -> Answer | None:
        if call.command == "pin/add":
            reached.set()
        return None

    rpc.node.script = watch
    options = ["--rpc", devnet.url, "--deployments", str(tmp_path), "--state", str(tmp_path / "mirror")]
    command = [sys.executable, "-m", "scripts.mirror", *options, "--kubo", rpc.address]
    with (
        Gateway(blocks) as source,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("mirror at ").strip()
        account, label = devnet.account("initiator"), f"task/{people.task}"
        assert request_pull(url, account, cids=[root], source=source.url, label=label).state == "held"
        assert reached.wait(30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert rpc.node.pins == {str(root): "recursive"}
