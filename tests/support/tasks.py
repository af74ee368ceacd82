"""Tasks and people for tests against the real contracts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kizuna.chain import Deployment, Devnet, Kizuna, Money, TaskParams, Windows, rules
from kizuna.draws import SecretChain, secret_chain
from kizuna.types import Digest, Role

PRICE = 10**18
NUMERICS = Digest(b"\x07" * 32)


def windows(**changes: int) -> Windows:
    """Long enough for tests that mine a block per transaction."""
    usual = Windows(open=60, attest=60, seal=2, vote=60, reveal=60, challenge=60, jcommit=60, jreveal=60)
    return replace(usual, **changes)


def money(**changes: int) -> Money:
    """The demo's amounts (unit: the price of one quota)."""
    usual = Money(
        price=PRICE,
        trainer_stake=10 * PRICE,
        verifier_stake=10 * PRICE,
        trainer_slash=5 * PRICE,
        verifier_slash=5 * PRICE,
        trainer_bounty_cap=PRICE // 2,
        verifier_bounty_cap=PRICE // 2,
        check_fee=PRICE * 3 // 10,
        attest_fee=PRICE // 100,
        juror_fee=PRICE * 3 // 10,
        missed_duty=PRICE // 10,
        unrevealed=PRICE,
        withheld=PRICE // 4,
        challenge_bond=3 * PRICE,
        cleared=2 * PRICE,
        initiator_bond=8 * PRICE,
        tip=PRICE // 1000,
    )
    return replace(usual, **changes)


def task_params(deployment: Deployment, **changes: Any) -> TaskParams:
    """A small task: 2 trainers, 3 verifiers, committees of 3, J = 3."""
    assert deployment.token is not None
    usual = TaskParams(
        token=deployment.token,
        beacon=deployment.beacon,
        spec=Digest(b"\x01" * 32),
        genesis=Digest(b"\x02" * 32),
        numerics_id=NUMERICS,
        trainer_slots=2,
        verifier_seats=3,
        min_verifier_seats=3,
        max_quota=1,
        shard_slots=4,
        committee=3,
        rounds=2,
        start_block=1_000,
        segments=3,
        segments_per_checker=1,
        groups_per_segment=4,
        rollouts_per_checker=2,
        audit_rate=1 << 32,
        windows=windows(),
        money=money(),
    )
    return replace(usual, **changes)


@dataclass(frozen=True, slots=True)
class Verifier:
    """A verifier's client, position and secrets."""

    chain: Kizuna
    position: int
    secrets: SecretChain


@dataclass(frozen=True, slots=True)
class Cast:
    """A running task: its number, initiator, trainers by position, verifiers by position."""

    devnet: Devnet
    task: int
    params: TaskParams
    initiator: Kizuna
    trainers: tuple[Kizuna, ...]
    verifiers: tuple[Verifier, ...]


def cast(devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna], **changes: Any) -> Cast:
    """Creates a task with budget for all rounds, and lets everybody join."""
    params = task_params(deployment, **changes)
    initiator = client("initiator")
    task = initiator.create_task(params, rules.full_reserve(params) * params.rounds)
    trainers = tuple(client(f"trainer {i}") for i in range(params.trainer_slots))
    for i, trainer in enumerate(trainers):
        trainer.join(task, Role.TRAINER, numerics_id=NUMERICS, endpoint=f"http://trainer-{i}.example")
    verifiers = []
    for i in range(params.verifier_seats):
        chain, secrets = client(f"verifier {i}"), secret_chain(f"verifier {i}".encode(), 16)
        position = chain.join(task, Role.VERIFIER, secret_tip=secrets.tip, numerics_id=NUMERICS)
        verifiers.append(Verifier(chain, position, secrets))
    return Cast(devnet, task, params, initiator, trainers, tuple(verifiers))
