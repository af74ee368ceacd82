"""`brownie run publish`: does what `kizuna publish` does.

    brownie run publish main TASK.yaml [MIRROR,...] [ACCOUNT] [FOLDER] [STATE] --network NETWORK

It pays in the deployment's test token. A task of the same specification that the account has created is not created
again: after an interruption run the same command.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from brownie import Contract, Tasks, TestToken, Vault, web3
from eth_account import Account
from rich.console import Console

from kizuna.chain import Deployment, Kizuna, TaskParams
from kizuna.chain.deployment import FOLDER
from kizuna.chain.structs import to_abi
from kizuna.economics import attacks
from kizuna.errors import KeyUnusable
from kizuna.state import hold
from kizuna.store import FlatFs
from kizuna.task import load
from kizuna.types import Digest
from scripts.brownie.senders import sender
from scripts.publish import (
    break_even_table,
    currency_of,
    params_of,
    prepare,
    push,
    require_answer,
    require_honesty_pays,
    with_mirrors,
)


def main(
    task_file: str,
    mirrors: str = "",
    account: str = "",
    folder: str = str(FOLDER),
    state: str = "runs/brownie-publish",
) -> None:
    """Publishes a task. Refuses one in which a known attack pays."""
    console, initiator = Console(), sender(account)
    if not hasattr(initiator, "private_key"):
        raise KeyUnusable("mirrors ask for a signature: publish with an account that has its key here")
    spec = load(Path(task_file))
    params_of(spec)
    console.print(break_even_table(attacks(spec)))
    require_honesty_pays(spec)
    spec = with_mirrors(spec, mirrors.split(",") if mirrors else spec.mirrors)
    with ExitStack() as stack:
        stack.enter_context(hold(Path(state)))
        chain = Kizuna.connect(web3.provider.endpoint_uri, deployments=Path(folder))
        stack.callback(chain.close)
        for url in spec.mirrors:
            require_answer(url)
        blocks = FlatFs(Path(state) / "blocks")
        stack.callback(blocks.close)
        params = prepare(spec, chain, blocks, console, token=currency_of(None, chain))
        task = created(chain, params.spec, initiator.address)
        if task is None:
            task = create(params, spec.money.wei("budget"), initiator, chain.deployment)
        push(task, spec, chain, blocks, Account.from_key(initiator.private_key), console)
        console.print(f"task {task} is published")


def created(chain: Kizuna, spec: Digest, initiator: str) -> int | None:
    """The newest task of this specification that the account has created."""
    for task in range(chain.task_count(), 0, -1):
        if chain.params(task).spec == spec and chain.initiator_of(task) == initiator:
            return task
    return None


def create(params: TaskParams, budget: int, initiator: Any, where: Deployment) -> int:
    """Deposits what is missing and creates the task, through Brownie's contract objects. Returns its number."""
    vault, tasks = _at(where.vault, Vault), _at(where.tasks, Tasks)
    token = _at(params.token, TestToken)
    missing = budget + params.money.initiator_bond - vault.freeOf(token, initiator)
    if missing > 0:
        token.approve(vault, missing, {"from": initiator})
        vault.deposit(token, missing, {"from": initiator})
    receipt = tasks.createTask(to_abi(params), budget, {"from": initiator})
    return int(receipt.events["TaskCreated"]["task"])


def _at(address: str, kind: Any) -> Any:
    # `kind.at` files the contract under the chain id, and on the next devnet Brownie will not start without it.
    return Contract.from_abi(kind._name, address, kind.abi, persist=False)
