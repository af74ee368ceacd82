"""Deploys the contracts to the chain behind an RPC, from the committed bytecode. Needs no compiler."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kizuna.chain import Deployment, Rpc, keys
from kizuna.chain import deploy as deploy_contracts
from kizuna.chain.deployment import FOLDER, deploy_drand
from kizuna.chain.drand import EVMNET
from kizuna.errors import DeploymentMissing
from scripts.command import main


class Beacon(StrEnum):
    """What tasks can draw by; block hashes always."""

    BLOCKHASH = "blockhash"
    DRAND = "drand"


def deploy(
    rpc: Annotated[str, typer.Option(help="URL of the chain's RPC.")] = "http://127.0.0.1:8545",
    key: Annotated[str | None, typer.Option(help="Key file or keystore; else KIZUNA_KEY.", show_default=False)] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Passphrase of the keystore.", show_default=False)
    ] = None,
    test_token: Annotated[bool, typer.Option(help="Deploy the worthless token with a faucet as well.")] = False,
    deployments: Annotated[Path, typer.Option(help="Folder of the deployment files.")] = FOLDER,
    beacon: Annotated[Beacon, typer.Option(help="drand: add a beacon that follows drand's evmnet.")] = Beacon.BLOCKHASH,
    again: Annotated[bool, typer.Option(help="Deploy even though this chain has a deployment.")] = False,
) -> None:
    """Deploy the contracts and write deployments/<chainId>.json."""
    account = keys.load(key, passphrase_file=passphrase_file)
    client = Rpc(rpc)
    standing = None if again else _standing(client, deployments)
    if standing is not None and beacon in standing.beacons:
        typer.echo(f"chain {standing.chain_id} has its contracts already: pass --again for new ones")
        return
    deployed = standing or deploy_contracts(client, account, token=test_token)
    if beacon is Beacon.DRAND:
        deployed = deploy_drand(client, account, deployed, EVMNET)
    show(deployed)
    typer.echo(f"written to {deployed.write(deployments)}")


def show(deployed: Deployment) -> None:
    """Prints the addresses of a deployment."""
    typer.echo(f"chain {deployed.chain_id}, block {deployed.block}")
    for name, entry in deployed.contracts.items():
        typer.echo(f"  {name:<16} {entry.address}")


def _standing(client: Rpc, folder: Path) -> Deployment | None:
    try:
        found = Deployment.read(client.chain_id(), folder)
        found.verify(client)
    except DeploymentMissing:
        return None
    return found


if __name__ == "__main__":
    main(deploy)
