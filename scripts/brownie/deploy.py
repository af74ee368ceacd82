"""`brownie run deploy`: does what `kizuna deploy` does.

    brownie run deploy main [ACCOUNT] [FOLDER] --network NETWORK
    brownie run deploy with_test_token [ACCOUNT] [FOLDER] --network NETWORK

The code is the committed one, not what Brownie compiled: Brownie cannot leave the metadata out, by which the code on
the chain would differ from everybody else's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from brownie import web3

from kizuna.chain import Deployment, Rpc
from kizuna.chain.deployment import FOLDER, creation_gas, creations, describe, require_landed
from scripts.brownie.senders import sender
from scripts.deploy import require_writable, show, standing


def main(account: str = "", folder: str = str(FOLDER)) -> None:
    """Deploys the contracts and writes deployments/<chainId>.json."""
    run(sender(account), Path(folder), token=False)


def with_test_token(account: str = "", folder: str = str(FOLDER)) -> None:
    """The same with the worthless token that has a faucet."""
    run(sender(account), Path(folder), token=True)


def run(account: Any, folder: Path, *, token: bool) -> None:
    require_writable(folder)
    found = standing(Rpc(web3.provider.endpoint_uri), folder)
    if found is not None:
        print(f"chain {found.chain_id} has its contracts already")
        return
    deployed = deploy(account, token=token)
    show(deployed)
    print(f"written to {deployed.write(folder)}")


def deploy(account: Any, *, token: bool = False) -> Deployment:
    """Deploys from an account of Brownie's. Raises ChainError if a contract did not land where it was expected."""
    planned = creations(account.address, account.nonce, token=token)
    blocks = []
    for name, creation in planned.items():
        receipt = account.transfer(data="0x" + creation.code.hex(), gas_limit=creation_gas(creation.code))
        require_landed(name, creation, receipt.contract_address)
        blocks.append(receipt.block_number)
    return describe(Rpc(web3.provider.endpoint_uri), planned, first_block=min(blocks))
