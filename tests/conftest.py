"""Fixtures around one real anvil for the whole test run; every test gets it as it was deployed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from kizuna.chain import Deployment, Devnet, Kizuna, Rpc, deploy

MakeClient = Callable[[str], Kizuna]


@pytest.fixture(scope="session")
def anvil() -> Iterator[Devnet]:
    """A chain that mines a block for every transaction. Tests use `devnet`, which undoes what they did."""
    with Devnet(mining="auto") as running:
        yield running


@pytest.fixture(scope="session")
def deployment(anvil: Devnet) -> Deployment:
    """All contracts and the test token."""
    return deploy(anvil.rpc(), anvil.deployer(), token=True)


@pytest.fixture
def devnet_only(anvil: Devnet) -> Devnet:
    """The chain for tests that need no contracts and leave nothing behind but blocks."""
    return anvil


@pytest.fixture
def devnet(anvil: Devnet, deployment: Deployment) -> Iterator[Devnet]:
    """The deployed chain, reset after the test."""
    snapshot = anvil.snapshot()
    yield anvil
    anvil.set_automine(True)
    anvil.control("anvil_dropAllTransactions")
    anvil.revert(snapshot)


@pytest.fixture
def rpc(devnet: Devnet) -> Iterator[Rpc]:
    client = devnet.rpc()
    yield client
    client.close()


@pytest.fixture
def client(devnet: Devnet, deployment: Deployment) -> Iterator[MakeClient]:
    """`client("alice")`: a client of a funded account with 1,000,000 whole test tokens in the vault."""
    made: dict[str, Kizuna] = {}

    def make(name: str) -> Kizuna:
        if name not in made:
            account = devnet.account(name)
            made[name] = Kizuna(devnet.rpc(), deployment, account)
            assert deployment.token is not None
            made[name].faucet(2 * 10**24)
            made[name].deposit(deployment.token, 10**24)
        return made[name]

    yield make
    for chain in made.values():
        chain.close()


@pytest.fixture
def signals() -> Iterator[None]:
    """The signal handlers of the test runner, put back when the test has run an agent."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
