"""Agents run without a terminal: whether their key can sign is decided at once, and nothing is asked for later.

Elsewhere a prompt read rubbish from a missing terminal until the stake was slashed (entrius/allways#227).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from eth_account import Account
from support.training import World, world

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.chain.structs import TaskState
from kizuna.types import Phase, Role

PASSPHRASE = "correct horse"
ROLES = {"trainer": Role.TRAINER, "verifier": Role.VERIFIER}
LIMIT_S = 240.0

NEVER_ASKS = """
import atexit, builtins, getpass, runpy, sys
from eth_account import Account

def refuse(*args, **kwargs):
    raise AssertionError("somebody was asked")

builtins.input = getpass.getpass = refuse
decrypt, count = Account.decrypt, 0

def counted(*args, **kwargs):
    global count
    count += 1
    return decrypt(*args, **kwargs)

Account.decrypt = staticmethod(counted)
atexit.register(lambda: print(f"decrypted {count} times"))
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def here(devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna], tmp_path: Path) -> Iterator[World]:
    with world(devnet, deployment, client, tmp_path) as published:
        yield published


def keystore(here: World, name: str) -> Path:
    """A keystore of a funded account, with few rounds of its key derivation so that tests are quick."""
    path = here.folder / f"{name}.json"
    here.node(name)  # gives it tokens
    key = here.devnet.account(name).key
    path.write_text(json.dumps(Account.encrypt(key, PASSPHRASE, kdf="pbkdf2", iterations=2)))
    return path


@pytest.fixture
def start(here: World) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`start("trainer", "--key=FILE")`: an agent in a session of its own, with standard input closed."""
    running: list[subprocess.Popen[str]] = []

    def go(role: str, *flags: str) -> subprocess.Popen[str]:
        running.append(_agent(here, role, flags))
        return running[-1]

    yield go
    for process in running:
        process.kill()
        process.communicate()


def _agent(here: World, role: str, flags: tuple[str, ...]) -> subprocess.Popen[str]:
    usual = {"task": here.task, "rpc": here.devnet.url, "mirror": here.mirror.url, "deployments": here.folder}
    named = [f"--{name}={value}" for name, value in (usual | {"state": here.folder / role}).items()]
    return subprocess.Popen(
        [sys.executable, "-c", NEVER_ASKS, role, *named, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("KIZUNA_")} | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
        preexec_fn=lambda: os.close(0),
    )


@pytest.mark.parametrize("passphrase", [None, "wrong"])
@pytest.mark.parametrize("role", ROLES)
def test_a_key_that_cannot_sign_is_refused_before_anything_is_staked(
    here: World, start: Callable[..., subprocess.Popen[str]], role: str, passphrase: str | None
) -> None:
    flags = [f"--key={keystore(here, role)}"]
    if passphrase is not None:
        (here.folder / "passphrase").write_text(passphrase)
        flags.append(f"--passphrase-file={here.folder / 'passphrase'}")
    seats, address = here.chain.slot_count(here.task, ROLES[role]), here.devnet.account(role).address
    process = start(role, *flags)
    _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    (line,) = said.strip().splitlines()
    assert ("--passphrase-file" if passphrase is None else "does not open") in line
    assert here.chain.slot_count(here.task, ROLES[role]) == seats
    assert here.devnet.rpc().nonce(address, at=here.chain.block) == 0


@pytest.mark.parametrize("kind", ["keystore", "plain"])
def test_a_trainer_with_the_right_key_runs_for_all_rounds_without_asking(
    here: World, start: Callable[..., subprocess.Popen[str]], kind: str
) -> None:
    flags = [f"--key={keystore(here, 'trainer')}", f"--passphrase-file={here.folder / 'passphrase'}"]
    (here.folder / "passphrase").write_text(PASSPHRASE + "\n")
    if kind == "plain":
        (here.folder / "plain").write_text(bytes(here.devnet.account("trainer").key).hex() + "\n")
        flags = [f"--key={here.folder / 'plain'}"]
    process = start("trainer", *flags)

    def until(reached: Callable[[], bool], *, mine: bool = False) -> None:
        ends = time.monotonic() + LIMIT_S
        while not reached():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < ends
            if mine:
                here.devnet.mine()
            time.sleep(0.05)

    until(lambda: here.chain.slot_count(here.task, Role.TRAINER) == 1)
    for round in (1, 2):
        here.open(round)
        until(lambda round=round: here.chain.round(here.task, round).phase is not Phase.OPEN)  # type: ignore[misc]
        here.attest(round, 1)
        here.pass_all(round)
        here.settle(round)
    until(lambda: here.chain.state_of(here.task) is TaskState.FINISHED, mine=True)
    here.devnet.mine(5)
    said, complaint = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, complaint) == (0, "")
    assert "the task is over" in said
    assert f"decrypted {int(kind == 'keystore')} times" in said
    money = here.params.money
    address = here.devnet.account("trainer").address
    assert here.chain.free_of(here.params.token, address) >= money.trainer_stake + 2 * money.price
