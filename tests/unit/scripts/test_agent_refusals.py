"""Tasks that a trainer or verifier cannot take part in: refused in one line, with nothing staked."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import Command
from support.tasks import PRICE, task_params
from support.training import World

from kizuna.chain import Kizuna, rules
from kizuna.types import ZERO_DIGEST, Digest, Role

JOBS = {"train": Role.TRAINER, "verify": Role.VERIFIER}
NOBODY = "http://127.0.0.1:9"
GRACE = 250
"""Blocks after which a task that nobody joined may be ended."""


def key_of(here: World, name: str, *, ether: int = 10, tokens: int = 100) -> str:
    """A key file of a new account that holds so many whole coins and test tokens."""
    account = here.devnet.account(name, ether=ether)
    if tokens:
        here.chain.faucet(tokens * PRICE, to=account.address)
    path = here.folder / f"{name}.key"
    path.write_text(bytes(account.key).hex())
    return str(path)


def seat(here: World, task: int, role: Role, name: str) -> None:
    """Has somebody take a place."""
    key_of(here, name)
    secret = ZERO_DIGEST if role is Role.TRAINER else Digest(b"\x01" * 32)
    client = Kizuna(here.devnet.rpc(), here.deployment, here.devnet.account(name))
    client.deposit(here.params.token, 10 * PRICE)
    client.join(task, role, secret_tip=secret, numerics_id=here.params.numerics_id)
    client.close()


@pytest.fixture
def start(kizuna: Command, here: World, tmp_path: Path) -> Callable[..., str]:
    """Starts an agent on the task; the line with which it refuses."""

    def go(job: str, **options: object) -> str:
        usual: dict[str, object] = {
            "task": here.task,
            "rpc": here.devnet.url,
            "deployments": here.folder,
            "state": tmp_path / job,
            "mirror": here.mirror.url,
        }
        return kizuna(job, **(usual | options)).refusal

    return go


@pytest.fixture
def other(here: World) -> Callable[..., int]:
    """Publishes another task with the same content."""

    def publish(**changes: object) -> int:
        params = here.params
        content = {"spec": params.spec, "genesis": params.genesis, "numerics_id": params.numerics_id}
        shape = {"segments": params.segments, "groups_per_segment": params.groups_per_segment}
        made = task_params(here.deployment, **(content | shape | changes))
        return here.chain.create_task(made, rules.full_reserve(made))

    return publish


@pytest.mark.parametrize("job", JOBS)
def test_a_task_that_there_is_not_is_refused_with_those_that_there_are(
    start: Callable[..., str], here: World, job: str
) -> None:
    refusal = start(job, task=99, key=key_of(here, job))
    assert f"there is no task 99: this deployment has tasks 1 to {here.chain.task_count()}" in refusal


@pytest.mark.parametrize("job", JOBS)
def test_a_task_that_was_cancelled_takes_nobody(
    start: Callable[..., str], here: World, other: Callable[..., int], job: str
) -> None:
    task = other()
    here.chain.cancel(task)
    assert f"task {task} is over" in start(job, task=task, key=key_of(here, job))


@pytest.mark.parametrize("job", JOBS)
def test_a_task_that_is_finished_takes_nobody(
    start: Callable[..., str], here: World, other: Callable[..., int], job: str
) -> None:
    soon = here.chain.block.number + 2
    task = other(start_block=soon)
    here.devnet.mine_to(soon + GRACE)
    here.chain.finish(task)
    assert f"task {task} is over" in start(job, task=task, key=key_of(here, job))


@pytest.mark.parametrize("job", JOBS)
def test_an_operator_in_the_other_role_is_refused(
    start: Callable[..., str], here: World, other: Callable[..., int], job: str
) -> None:
    task, taken = other(), Role.VERIFIER if job == "train" else Role.TRAINER
    seat(here, task, taken, f"both {job}")
    refusal = start(job, task=task, key=here.folder / f"both {job}.key")
    assert f"is already a {taken.name.lower()} of task {task}" in refusal


@pytest.mark.parametrize("job", JOBS)
def test_an_operator_without_the_stake_is_told_what_it_lacks(
    start: Callable[..., str], here: World, other: Callable[..., int], job: str
) -> None:
    refusal = start(job, task=other(), key=key_of(here, f"poor {job}", tokens=0))
    assert f"needs {10 * PRICE} wei of token" in refusal and "holds 0: send it some" in refusal


@pytest.mark.parametrize("job", JOBS)
def test_an_operator_without_ether_is_told_what_it_lacks(
    start: Callable[..., str], here: World, other: Callable[..., int], job: str
) -> None:
    refusal = start(job, task=other(), key=key_of(here, f"stranded {job}", ether=0))
    assert "holds 0 wei and" in refusal and "send it" in refusal


def test_a_task_without_a_free_place_takes_nobody_and_no_deposit(
    start: Callable[..., str], here: World, other: Callable[..., int]
) -> None:
    task = other(trainer_slots=1, shard_slots=1)
    seat(here, task, Role.TRAINER, "early")
    path = key_of(here, "late")
    assert f"task {task} has no place left for a trainer" in start("train", task=task, key=path)
    late = here.devnet.account("late").address
    assert here.chain.token_balance(here.params.token, late) == 100 * PRICE


@pytest.mark.parametrize("job", JOBS)
def test_mirrors_that_do_not_serve_the_task_are_named(start: Callable[..., str], here: World, job: str) -> None:
    refusal = start(job, mirror=NOBODY, key=key_of(here, job))
    assert f"no mirror serves task {here.task}" in refusal and NOBODY in refusal and "--mirror" in refusal


def test_no_mirror_at_all_is_refused(kizuna: Command, here: World, tmp_path: Path) -> None:
    where = {"task": here.task, "rpc": here.devnet.url, "deployments": here.folder, "state": tmp_path / "state"}
    assert "--mirror" in kizuna("train", key=key_of(here, "train"), **where).refusal


@pytest.mark.parametrize("job", JOBS)
def test_a_machine_of_another_numerics_class_is_refused(
    start: Callable[..., str], here: World, other: Callable[..., int], job: str
) -> None:
    task = other(numerics_id=Digest(b"\x11" * 32))
    assert "needs numerics class 1111111111111111" in start(job, task=task, key=key_of(here, job))


@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid", "192.0.2.1"])
def test_an_address_that_cannot_be_listened_at_is_refused(start: Callable[..., str], here: World, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if host == "127.0.0.1" else 0
        assert f"--listen {host}:{port}:" in start("train", listen=f"{host}:{port}", key=key_of(here, "train"))


def test_a_task_that_there_is_not_has_no_status(kizuna: Command, here: World) -> None:
    where = {"rpc": here.devnet.url, "deployments": here.folder}
    assert "there is no task 99" in kizuna("status", 99, **where).refusal
    for number in ("0", "1.5", "one"):
        assert "--help" in kizuna("status", number, **where).refusal
    assert kizuna("status", here.task, **where).code == 0
