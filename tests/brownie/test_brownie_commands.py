"""`brownie compile` and `brownie run` as an operator types them, against a chain that is not Brownie's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kizuna.chain import Devnet, Kizuna
from kizuna.chain.devnet import ETHER, account
from kizuna.store import DAG_CBOR, DAG_PB, Cid, Fetcher, Limits, MemoryBlocks

OPERATOR = account("operator")
ROOT = Path(__file__).resolve().parents[2]
TASK = """
name: brownie
rounds: 2
model: {hidden: 32, layers: 2, heads: 4, warmup_steps: 1, seed: 3}
environment: {name: reverse, max_new_tokens: 6}
inner: {prompts: 4, completions: 4, steps: 4, segment_steps: 2, micro_batches: 8}
verification: {segments: 1, rollouts: 1}
seats: {trainers: 2, verifiers: 4, min_verifiers: 3, committee: 3}
money: {budget: 200}
"""


def run(*command: str, home: Path) -> str:
    """What a command prints; it must succeed."""
    environment = os.environ | {"HOME": str(home), "KIZUNA_KEY": OPERATOR.key.hex(), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def brownie(*arguments: str, home: Path) -> str:
    return run(str(Path(sys.executable).parent / "brownie"), *arguments, home=home)


def kizuna(job: str, *arguments: str, home: Path) -> str:
    return run(sys.executable, "-m", f"scripts.{job}", *arguments, home=home)


@pytest.fixture
def devnet() -> Iterator[Devnet]:
    with Devnet(mining="auto") as running:
        running.fund(OPERATOR.address, ETHER)
        yield running


@pytest.fixture
def home(tmp_path: Path, devnet: Devnet) -> Path:
    """A home whose Brownie knows the devnet as a live network of this name."""
    brownie("networks", "add", "Ethereum", "here", f"host={devnet.url}", f"chainid={devnet.chain_id}", home=tmp_path)
    return tmp_path


@pytest.fixture
def deployed(home: Path, devnet: Devnet) -> Kizuna:
    """The contracts as `brownie run deploy` leaves them; the initiator has test tokens."""
    brownie("run", "deploy", "with_test_token", "", str(home), "--network", "here", home=home)
    chain = Kizuna.connect(devnet.url, account=OPERATOR, deployments=home)
    chain.faucet(1_000 * 10**18)
    return chain


@pytest.fixture
def mirror(devnet: Devnet, home: Path, deployed: Kizuna) -> Iterator[str]:
    """The URL of a mirror process."""
    options = ["--rpc", devnet.url, "--deployments", str(home), "--state", str(home / "mirror")]
    command = [sys.executable, "-m", "scripts.mirror", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("mirror at ").strip()
        process.send_signal(signal.SIGTERM)


def deployment_file(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "31337.json").read_text())
    del content["block"]["hash"]  # two chains never agree on the time of a block
    return content


def test_compile_needs_no_other_compiler_than_npms(home: Path) -> None:
    assert "Project has been compiled" in brownie("compile", home=home)
    assert not (home / ".solcx").exists()


def test_deploy_writes_the_file_that_kizuna_deploy_writes(devnet: Devnet, home: Path, deployed: Kizuna) -> None:
    with Devnet(mining="auto") as other:
        other.fund(OPERATOR.address, ETHER)
        there = home / "other"
        kizuna("deploy", "--rpc", other.url, "--deployments", str(there), "--test-token", home=home)
    assert deployment_file(home) == deployment_file(there)


def test_deploy_is_done_once_per_chain(home: Path, deployed: Kizuna) -> None:
    before = deployment_file(home)
    said = brownie("run", "deploy", "main", "", str(home), "--network", "here", home=home)
    assert "has its contracts already" in said
    assert deployment_file(home) == before


def test_publish_creates_the_task_that_kizuna_publish_creates(
    devnet: Devnet, home: Path, deployed: Kizuna, mirror: str
) -> None:
    task_file = home / "task.yaml"
    task_file.write_text(TASK)
    folders = [str(home), str(home / "brownie-state")]
    for _ in range(2):  # the second time there is nothing left to create
        brownie("run", "publish", "main", str(task_file), mirror, "", *folders, "--network", "here", home=home)
        assert deployed.task_count() == 1
    options = ["--rpc", devnet.url, "--mirror", mirror, "--deployments", str(home), "--state", str(home / "state")]
    kizuna("publish", str(task_file), *options, home=home)
    theirs, ours = deployed.params(1), deployed.params(2)
    assert deployed.task_count() == 2
    assert theirs.start_block < ours.start_block
    assert replace(theirs, start_block=ours.start_block) == ours
    assert deployed.initiator_of(1) == deployed.initiator_of(2) == OPERATOR.address
    assert deployed.free_of(theirs.token, OPERATOR.address) == 0
    fetcher = Fetcher(MemoryBlocks(), [mirror], Limits(max_bytes=1 << 24))
    for cid in (Cid(theirs.spec, DAG_CBOR), Cid(theirs.genesis, DAG_PB)):
        assert fetcher.fetch_dag(cid).total_blocks >= 1
