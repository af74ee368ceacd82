"""SIGKILL at any moment of a save: what is found afterwards is whole, and nothing has to be cleaned up by hand.

Half-saved checkpoints of others were marked as stable and loaded (PrimeIntellect-ai/prime-rl#3037).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import killed_trainer
import killed_writers
import pytest
from support.training import SPEC, World, genesis, numerics, train, world

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.node.contribution import publish
from kizuna.node.task_context import TaskContext, file_digest
from kizuna.store import DAG_CBOR, DAG_PB, Cid, FlatFs, MemoryBlocks, Pins, dag
from kizuna.types import Role


def alone(module: object, argument: str) -> str:
    """What a module prints in a process of its own, which has one thread and may fork."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, module.__file__, argument]  # type: ignore[attr-defined]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Kills every writer at point after point; how many points each had."""
    found: dict[str, int] = json.loads(alone(killed_writers, str(tmp_path_factory.mktemp("killed"))))
    return found


@pytest.mark.parametrize("writer", killed_writers.WRITERS)
def test_a_writer_killed_at_any_call_leaves_what_was_or_what_is_to_be(points: dict[str, int], writer: str) -> None:
    assert points[writer] >= 10


@pytest.fixture
def here(devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna], tmp_path: Path) -> Iterator[World]:
    with world(devnet, deployment, client, tmp_path) as published:
        yield published


def test_a_trainer_killed_over_and_over_commits_once_and_what_an_unbroken_one_would(here: World) -> None:
    account = here.devnet.account("trainer")
    here.node("trainer")  # gives it tokens
    chain = Kizuna(here.devnet.rpc(), here.deployment, account)
    chain.deposit(here.params.token, here.params.money.trainer_stake)
    chain.join(here.task, Role.TRAINER, numerics_id=here.params.numerics_id, endpoint="http://127.0.0.1:1")
    here.open(1)
    before = here.devnet.rpc().nonce(account.address, at=here.chain.block)
    state = here.folder / "trainer"
    given = {
        "task": str(here.task),
        "rpc": here.devnet.url,
        "state": str(state),
        "mirror": here.mirror.url,
        "deployments": str(here.folder),
        "key": "0x" + bytes(account.key).hex(),
    }
    assert int(alone(killed_trainer, json.dumps(given))) >= 4

    roots = here.chain.at(here.chain.block).commitments(here.task, 1)[0]
    seed = here.chain.seed(here.task, 1)
    assert seed is not None
    rules = TaskContext(here.task, here.params, SPEC, genesis()).config(
        round=1, slot=0, base=here.params.genesis, seed=seed
    )
    result = train(rules).result(numerics_id=numerics(), digest_of=file_digest)
    digest, manifest = publish(
        MemoryBlocks(),
        result,
        rules,
        chain=here.deployment.chain_id,
        rounds=bytes.fromhex(here.deployment.rounds[2:]),
        numerics_id=numerics(),
    )
    assert roots == (digest, manifest.receipt_root, manifest.leaf_root)
    blocks = FlatFs(state / "blocks")
    for root in (Cid(digest, DAG_CBOR), *(Cid(boundary, DAG_PB) for boundary in manifest.boundaries)):
        assert dag.missing(blocks, root) == []
    pins = Pins(blocks, state / "pins.sqlite")
    assert pins.damaged() == ()
    pins.close()
    blocks.close()
    sent = here.devnet.rpc().nonce(account.address, at=here.chain.block) - before
    assert sent <= 1 + 2 * 20  # a commitment, and where it is served: a port may be taken after a kill
    chain.close()
