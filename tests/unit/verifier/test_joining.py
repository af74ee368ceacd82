"""Taking a seat: what is staked and deposited, and secrets that the key alone brings back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from support.tasks import PRICE
from support.training import World

from kizuna.chain import Kizuna
from kizuna.draws import SecretChain
from kizuna.errors import ConfigError, Unfunded
from kizuna.node.agent import Node, Options
from kizuna.types import ZERO_DIGEST, Role
from verifier.joining import SPARE_SECRETS, own_trainers, secrets_from, secrets_of, take_seat

STAKE, ADVISED = 10 * PRICE, 20 * PRICE


@pytest.fixture
def ada(here: World) -> Iterator[Node]:
    """A verifier that has no seat yet and 100 tokens."""
    with here.node("ada", Role.VERIFIER) as node:
        yield node


def seat(node: Node) -> int:
    return take_seat(node, node.chain.at(node.chain.block))


def free(node: Node) -> int:
    return node.chain.free_of(node.params.token, node.account.address)


def holder(here: World, wei: int) -> Node:
    """A verifier that holds so much of the token."""
    account = here.devnet.account(f"holder of {wei}")
    here.chain.faucet(wei, to=account.address)
    options = Options(
        task=here.task,
        rpc=here.devnet.url,
        state=here.folder / account.address,
        mirrors=(here.mirror.url,),
        deployments=here.folder,
    )
    return Node(options, Role.VERIFIER, account)


def test_a_seat_costs_the_stake_and_the_balance_that_the_task_advises(ada: Node) -> None:
    assert seat(ada) == 0
    assert ada.chain.stake_of(ada.task, Role.VERIFIER, 0) == STAKE
    assert free(ada) == ADVISED
    assert ada.chain.token_balance(ada.params.token, ada.account.address) == 100 * PRICE - STAKE - ADVISED


@pytest.mark.parametrize("spare", [0, 7 * PRICE])
def test_whoever_has_less_than_is_advised_deposits_what_it_has(here: World, spare: int) -> None:
    with holder(here, STAKE + spare) as node:
        seat(node)
        assert node.chain.stake_of(node.task, Role.VERIFIER, 0) == STAKE
        assert free(node) == spare


def test_whoever_lacks_the_stake_is_told_and_deposits_nothing(here: World) -> None:
    with holder(here, STAKE - 1) as node:
        with pytest.raises(Unfunded, match=f"needs {STAKE} wei of token"):
            seat(node)
        assert free(node) == 0 and node.chain.slot_count(node.task, Role.VERIFIER) == 0


def test_a_seat_is_taken_once_whatever_happens_in_between(here: World, ada: Node) -> None:
    seat(ada)
    ada.__exit__(None, None, None)
    with here.node("ada", Role.VERIFIER) as again:
        assert seat(again) == 0
        assert again.chain.slot_count(again.task, Role.VERIFIER) == 1
        assert free(again) == ADVISED


def test_a_task_that_is_over_takes_nobody(here: World, ada: Node) -> None:
    here.chain.cancel(here.task)
    with pytest.raises(ConfigError, match=f"task {here.task} is over"):
        seat(ada)
    assert free(ada) == 0


def test_the_secrets_of_a_seat_come_back_from_the_key_alone(here: World, ada: Node) -> None:
    position = seat(ada)
    slot = ada.chain.slot(ada.task, Role.VERIFIER, position)
    first = secrets_of(ada, slot)
    assert first.tip == slot.secret
    assert len(first) == ada.params.rounds + SPARE_SECRETS
    ada.__exit__(None, None, None)
    with here.node("ada", Role.VERIFIER) as again:
        rounds = range(slot.active_from, slot.active_from + 3)
        assert [secrets_of(again, slot).secret(r, active_from=slot.active_from) for r in rounds] == [
            first.secret(r, active_from=slot.active_from) for r in rounds
        ]


def test_secrets_are_other_ones_for_every_key_and_first_round(here: World, ada: Node) -> None:
    with ExitStack() as stack:
        bob = stack.enter_context(here.node("bob", Role.VERIFIER))
        tips = {secrets_from(node, first).tip for node in (ada, bob) for first in (1, 2, 3)}
    assert len(tips) == 6


@pytest.mark.parametrize("opened", [0, 1, 3])
@pytest.mark.parametrize("late", [0, 1, 16])
def test_secrets_are_found_however_many_were_opened_and_rounds_went_by(ada: Node, opened: int, late: int) -> None:
    seat(ada)
    slot = ada.chain.slot(ada.task, Role.VERIFIER, 0)
    made = secrets_from(ada, slot.active_from)
    known = made.tip if opened == 0 else made.link(opened)
    later = replace(slot, secret=known, secrets_opened=opened, active_from=slot.active_from + late)
    if late < 16:
        assert secrets_of(ada, later).tip == made.tip
    else:
        with pytest.raises(ConfigError, match="do not come from this key"):
            secrets_of(ada, later)


@pytest.mark.parametrize("secret", [ZERO_DIGEST, SecretChain(b"\x05" * 32, 12).tip], ids=["none", "another"])
def test_secrets_of_another_key_are_no_secrets(ada: Node, secret: bytes) -> None:
    seat(ada)
    slot = ada.chain.slot(ada.task, Role.VERIFIER, 0)
    with pytest.raises(ConfigError, match=f"{ada.account.address} registered secrets that do not come from this key"):
        secrets_of(ada, replace(slot, secret=secret))  # type: ignore[arg-type]


def test_the_trainers_of_ones_own_are_known_by_their_owner(here: World, ada: Node) -> None:
    for name, owner in (("alice", here.chain), ("bert", None), ("carl", here.chain)):
        signer = here.devnet.account(name)
        chain = owner or Kizuna(here.devnet.rpc(), here.deployment, signer)
        if owner is None:
            chain.faucet(STAKE)
            chain.deposit(here.params.token, STAKE)
        chain.join(here.task, Role.TRAINER, operator=signer.address, numerics_id=here.params.numerics_id)
        if owner is None:
            chain.close()
    pinned = ada.chain.at(ada.chain.block)
    assert own_trainers(ada, pinned, here.chain.address) == {0, 2}
    assert own_trainers(ada, pinned, here.devnet.account("bert").address) == {1}
    assert own_trainers(ada, pinned, ada.account.address) == frozenset()
