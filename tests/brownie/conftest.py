"""The contracts on Brownie's own development network, deployed as `brownie run deploy` does it."""

from __future__ import annotations

from typing import Any

import pytest
from brownie import Slots, Tasks, TestToken, Vault, accounts

from kizuna.chain import Deployment
from scripts.brownie.deploy import deploy

TestToken.__test__ = False  # a contract, whatever its name says


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return deploy(accounts[0], token=True)


@pytest.fixture(scope="module")
def vault(deployment: Deployment) -> Any:
    return Vault.at(deployment.vault)


@pytest.fixture(scope="module")
def tasks(deployment: Deployment) -> Any:
    return Tasks.at(deployment.tasks)


@pytest.fixture(scope="module")
def slots(deployment: Deployment) -> Any:
    return Slots.at(deployment.slots)


@pytest.fixture(scope="module")
def token(deployment: Deployment) -> Any:
    return TestToken.at(deployment.token)


@pytest.fixture(autouse=True)
def isolation(fn_isolation: None) -> None:
    """Every test meets the chain as it was deployed."""
