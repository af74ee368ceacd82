"""Agents of a task that draws by drand: whoever is in turn posts what a round waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.drand import Endpoint, Signer, relay
from support.tasks import windows
from support.training import World, world

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.chain.deployment import deploy_drand
from kizuna.chain.drand import Network
from kizuna.errors import TaskInvalid
from kizuna.node.agent import TURN_BLOCKS, Node
from kizuna.types import Phase, Role
from trainer.agent import Trainer
from trainer.cheats import CHEATS
from verifier.agent import Verifier

SIGNER = Signer(secret=271_828)
NETWORK = Network(key=SIGNER.key, genesis=1_727_521_075, period=3, group_hash=bytes(32), id="tests")
VERIFIERS = ("ada", "bob", "cyd")

Make = Callable[[str], Kizuna]


@pytest.fixture
def here(
    devnet: Devnet, deployment: Deployment, client: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """The tiny task on drand, with three free verifier seats, everybody audited."""
    monkeypatch.setattr(World, "seat_verifiers", lambda self, make: None)
    both = deploy_drand(devnet.rpc(), devnet.account("deployer of drand"), deployment, NETWORK)
    short = windows(open=60, attest=16, vote=16, reveal=20, challenge=20, jcommit=16, jreveal=20)
    changes = {"beacon": both.beacons["drand"], "rounds": 1, "windows": short, "audit_rate": 1 << 32}
    with world(devnet, both, client, tmp_path, **changes) as made:
        yield made


@pytest.fixture
def honest() -> Iterator[Endpoint]:
    with Endpoint(relay(SIGNER, NETWORK.chain_hash)) as endpoint:
        yield endpoint


@contextmanager
def node(here: World, name: str, role: Role, *drand: Endpoint) -> Iterator[Node]:
    options = replace(here.node(name, role).options, drand=tuple(endpoint.url for endpoint in drand))
    with Node(options, role, here.devnet.account(name)) as opened:
        yield opened


def step(agent: Trainer | Verifier) -> None:
    chain = agent.node.chain
    agent.step(chain.at(chain.block))


def pass_time(here: World, seconds: int = 6) -> None:
    here.devnet.control("evm_increaseTime", seconds)
    here.devnet.mine()


def opened(here: World, stack: ExitStack, *drand: Endpoint) -> tuple[Trainer, list[Verifier]]:
    """All agents in their slots, and round 1 open."""
    trainer = Trainer(stack.enter_context(node(here, "trainer", Role.TRAINER, *drand)), CHEATS["none"])
    stack.callback(trainer.close)
    verifiers = [
        Verifier(stack.enter_context(node(here, name, Role.VERIFIER, *drand)), is_lazy=False) for name in VERIFIERS
    ]
    for agent in (trainer, *verifiers):
        step(agent)
    here.chain.advance(here.task, 1)
    return trainer, verifiers


def seed_target(here: World) -> int:
    return here.chain.round(here.task, 1).seed_target


def reach_seed(here: World, chain: Kizuna) -> None:
    here.devnet.control("evm_setNextBlockTimestamp", chain.drand_time_of(seed_target(here)))
    here.devnet.mine()


def test_agents_run_a_round_from_open_to_final_and_nobody_loses(here: World, honest: Endpoint) -> None:
    with ExitStack() as stack:
        trainer, verifiers = opened(here, stack, honest)
        for _ in range(150):
            for agent in (trainer, *verifiers):
                step(agent)
            pass_time(here)
            if here.chain.round(here.task, 1).phase >= Phase.FINAL:
                break
        view = here.chain.round(here.task, 1)
        assert (view.phase, view.paid) == (Phase.FINAL, 1)
        assert view.audit_target > view.seal_target > view.seed_target
        assert not here.chain.convicted(here.task, Role.VERIFIER)
        stakes = [here.chain.stake_of(here.task, Role.VERIFIER, position) for position in range(len(VERIFIERS))]
        assert stakes == [here.params.money.verifier_stake] * len(VERIFIERS)  # no duty was missed
        prefix = f"/{NETWORK.chain_hash.hex()}/public/"
        assert honest.asked == [prefix + str(n) for n in (view.seed_target, view.seal_target, view.audit_target)]


def test_nothing_is_asked_for_before_its_time(here: World, honest: Endpoint) -> None:
    with ExitStack() as stack:
        _, verifiers = opened(here, stack, honest)
        here.devnet.mine(10)
        for agent in verifiers:
            step(agent)
        assert honest.asked == []


def test_an_endpoint_that_lies_is_passed_over_by_the_contracts_word(here: World, honest: Endpoint) -> None:
    other = Signer(secret=SIGNER.secret + 1)
    with Endpoint(relay(other, NETWORK.chain_hash)) as liar, ExitStack() as stack:
        trainer, _ = opened(here, stack, liar, honest)
        chain = trainer.node.chain
        reach_seed(here, chain)
        wait_turn(here, trainer)
        assert chain.beacon_ready(here.params.beacon, seed_target(here))
        assert liar.asked == honest.asked != []


def wait_turn(here: World, trainer: Trainer) -> None:
    """Lets the trainer's turn come, which is after all verifiers'."""
    position = trainer.position
    assert position is not None
    for _ in range(TURN_BLOCKS * (len(VERIFIERS) + position) + 1):
        trainer.node.advance(trainer.node.chain.at(trainer.node.chain.block), position)
        here.devnet.mine()


def test_what_nobody_serves_yet_is_asked_for_again(
    here: World, honest: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    with Endpoint(lambda path: (404, b"")) as late, ExitStack() as stack:
        trainer, _ = opened(here, stack, late)
        chain = trainer.node.chain
        reach_seed(here, chain)
        wait_turn(here, trainer)
        assert "not posted: nobody serves round" in capsys.readouterr().out
        assert not chain.beacon_ready(here.params.beacon, seed_target(here))
        assert trainer.node.drand is not None
        trainer.node.drand.endpoints = (honest.url,)
        wait_turn(here, trainer)
        assert chain.beacon_ready(here.params.beacon, seed_target(here))


def test_what_has_expired_is_not_asked_for(here: World, honest: Endpoint) -> None:
    with ExitStack() as stack:
        trainer, _ = opened(here, stack, honest)
        reach_seed(here, trainer.node.chain)
        pass_time(here, 3_602)
        wait_turn(here, trainer)
        assert honest.asked == []
        assert here.chain.round(here.task, 1).phase is Phase.VOID


def test_a_task_with_a_beacon_of_its_own_is_refused(
    devnet: Devnet, deployment: Deployment, client: Make, tmp_path: Path
) -> None:
    rigged = world(devnet, deployment, client, tmp_path, beacon=deployment.vault)
    with rigged as here, pytest.raises(TaskInvalid, match="none of this deployment's"), here.node("trainer"):
        pass


def test_a_task_that_draws_by_block_hashes_needs_no_endpoint(
    devnet: Devnet, deployment: Deployment, client: Make, tmp_path: Path
) -> None:
    with world(devnet, deployment, client, tmp_path) as usual, usual.node("trainer") as opened_node:
        assert opened_node.drand is None
