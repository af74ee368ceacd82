"""Runs commands as an operator does, and a published task for them to run against."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from support.commands import Command, Ended
from support.training import World, world

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.chain.keys import KEY_VARIABLE, PASSPHRASE_VARIABLE
from kizuna.command import run
from scripts.cli import JOBS


@pytest.fixture
def kizuna(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """`kizuna("status", 1, rpc=url)`: a job in this process, without its operator's environment."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)

    def command(name: str, *arguments: object, **options: object) -> Ended:
        job = getattr(import_module(JOBS[name][0]), name)
        flags = [text for option, value in options.items() for text in (f"--{option.replace('_', '-')}", str(value))]
        code = run(job, [*map(str, arguments), *flags])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    yield command
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def here(anvil: Devnet, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The tiny task with its mirror, for tests that leave the chain nearly as it is."""
    snapshot = anvil.snapshot()
    clients: list[Kizuna] = []

    def make(name: str) -> Kizuna:
        client = Kizuna(anvil.rpc(), deployment, anvil.account(name))
        client.faucet(2 * 10**24)
        client.deposit(deployment.token or "", 10**24)
        clients.append(client)
        return client

    with world(anvil, deployment, make, tmp_path_factory.mktemp("world")) as made:
        yield made
    for client in clients:
        client.close()
    anvil.revert(snapshot)


@pytest.fixture
def key(tmp_path: Path) -> str:
    """A key that nobody has funded."""
    path = tmp_path / "operator.key"
    path.write_text("77" * 32)
    return str(path)
