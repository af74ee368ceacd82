"""Whose content a mirror takes: initiators' and slot holders', for the task that the label names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.tasks import Cast, cast

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.types import Address
from scripts.mirror import takes_part


@pytest.fixture
def people(devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna]) -> Cast:
    return cast(devnet, deployment, client)


def may(people: Cast, sender: str, label: str) -> bool:
    return takes_part(people.initiator)(Address(sender), {"label": label})


def test_initiator_trainer_and_verifier_may_push(people: Cast) -> None:
    senders = [people.initiator.address, people.trainers[1].address, people.verifiers[0].chain.address]
    for label in (f"task/{people.task}", f"task/{people.task}/round/3"):
        assert all(may(people, sender, label) for sender in senders)


def test_stranger_may_not_push(people: Cast, client: Callable[[str], Kizuna]) -> None:
    assert not may(people, client("stranger").address, f"task/{people.task}")


@pytest.mark.parametrize("label", ["", "task/", "task/0", "task/999", "task/-1", "task/1/round", "else", "task/1/../2"])
def test_label_that_names_no_task_is_refused(people: Cast, label: str) -> None:
    assert not may(people, people.initiator.address, label)


def test_missing_label_is_refused(people: Cast) -> None:
    assert not takes_part(people.initiator)(people.initiator.address, {})
