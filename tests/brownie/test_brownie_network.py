"""The contracts through Brownie's objects, on the development network that Brownie starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import brownie
import pytest
from brownie import accounts, web3
from support.tasks import NUMERICS, task_params

from kizuna.chain import Deployment, Kizuna, Rpc
from kizuna.chain.abi import CORE, TOKEN
from kizuna.chain.structs import to_abi
from kizuna.types import Role
from scripts.brownie.publish import create

ROOT = Path(__file__).resolve().parents[2]
UNIT = 10**18


@pytest.mark.parametrize("name", [*CORE, TOKEN])
def test_brownie_compiles_to_the_committed_code_and_appends_metadata(name: str) -> None:
    committed = json.loads((ROOT / "kizuna" / "chain" / "abi" / f"{name}.json").read_text())
    ours = committed["deployedBytecode"].removeprefix("0x")
    theirs = getattr(brownie, name)._build["deployedBytecode"].removeprefix("0x")
    assert theirs.startswith(ours)
    assert "64736f6c63" in theirs[len(ours) :]  # CBOR key "solc", and nothing like it in the committed code


def test_deployment_is_what_every_node_accepts(deployment: Deployment, tmp_path: Path) -> None:
    deployment.write(tmp_path)
    chain = Kizuna.connect(web3.provider.endpoint_uri, deployments=tmp_path)
    assert chain.deployment == deployment
    assert chain.task_count() == 0
    chain.close()


def test_money_goes_in_and_out(vault: Any, token: Any) -> None:
    owner = accounts[1]
    token.faucet(owner, 5 * UNIT, {"from": owner})
    token.approve(vault, 3 * UNIT, {"from": owner})
    vault.deposit(token, 3 * UNIT, {"from": owner})
    assert (vault.freeOf(token, owner), token.balanceOf(vault)) == (3 * UNIT, 3 * UNIT)
    vault.withdraw(token, 2 * UNIT, {"from": owner})
    assert (vault.freeOf(token, owner), token.balanceOf(owner)) == (UNIT, 4 * UNIT)


def test_more_than_the_balance_cannot_be_withdrawn(vault: Any, token: Any) -> None:
    owner = accounts[1]
    token.faucet(owner, UNIT, {"from": owner})
    token.approve(vault, UNIT, {"from": owner})
    vault.deposit(token, UNIT, {"from": owner})
    with brownie.reverts(revert_pattern="Vault_Insufficient: .*"):
        vault.withdraw(token, UNIT + 1, {"from": owner})
    assert vault.freeOf(token, owner) == UNIT


def test_task_is_created_with_the_given_parameters_and_joined(
    deployment: Deployment, vault: Any, slots: Any, token: Any
) -> None:
    initiator, trainer = accounts[1], accounts[2]
    params, budget = task_params(deployment), 200 * UNIT
    for account in (initiator, trainer):
        token.faucet(account, 1_000 * UNIT, {"from": account})
    task = create(params, budget, initiator, deployment)
    assert vault.freeOf(token, initiator) == 0  # exactly what was missing went in, and all of it is bound
    token.approve(vault, params.money.trainer_stake, {"from": trainer})
    vault.deposit(token, params.money.trainer_stake, {"from": trainer})
    slots.join(task, Role.TRAINER, 1, trainer, b"\0" * 32, NUMERICS, "http://trainer.test", {"from": trainer})
    chain = Kizuna(Rpc(web3.provider.endpoint_uri), deployment)
    assert chain.params(task) == params
    assert chain.initiator_of(task) == initiator.address
    assert chain.slot(task, Role.TRAINER, 0).operator == trainer.address
    chain.close()


def test_contracts_refuse_parameters_that_break_a_rule(deployment: Deployment, tasks: Any, token: Any) -> None:
    with brownie.reverts("Tasks_BadParameter: committee, not in 1..15"):
        tasks.createTask(to_abi(task_params(deployment, committee=0)), UNIT, {"from": accounts[1]})
    assert tasks.taskCount() == 0
