"""Deploys the contracts to the chain behind an RPC, from the committed bytecode. Needs no compiler."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kizuna.chain import Deployment, Rpc, keys
from kizuna.chain import deploy as deploy_contracts
from kizuna.chain.deployment import FOLDER, deploy_drand
from kizuna.chain.drand import EVMNET
from kizuna.command import LOCAL_RPC, Deployments, KeyFile, PassphraseFile, RpcUrl, main
from kizuna.errors import ConfigError, DeploymentMissing


class Beacon(StrEnum):
    """What tasks can draw by; block hashes always."""

    BLOCKHASH = "blockhash"
    DRAND = "drand"


def deploy(
    rpc: RpcUrl = LOCAL_RPC,
    key: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    test_token: Annotated[
        bool, typer.Option("--test-token", help="Deploy the worthless token with a faucet as well.")
    ] = False,
    deployments: Deployments = FOLDER,
    beacon: Annotated[Beacon, typer.Option(help="drand: add a beacon that follows drand's evmnet.")] = Beacon.BLOCKHASH,
    again: Annotated[bool, typer.Option("--again", help="Deploy even though this chain has a deployment.")] = False,
) -> None:
    """Deploy the contracts to a chain and write deployments/<chain id>.json, which everybody else needs.

    Needs a chain RPC and a key with ether for about 25 million gas. The compiled contracts come with Kizuna.

    \b
    Example:
      kizuna deploy --rpc http://127.0.0.1:8545 --key deployer.key --test-token
    """
    account = keys.load(key, passphrase_file=passphrase_file)
    require_writable(deployments)
    client = Rpc(rpc)
    found = None if again else standing(client, deployments)
    if found is not None and beacon in found.beacons:
        typer.echo(f"chain {found.chain_id} has its contracts already: pass --again for new ones")
        return
    deployed = found or deploy_contracts(client, account, token=test_token)
    if beacon is Beacon.DRAND:
        deployed = deploy_drand(client, account, deployed, EVMNET)
    show(deployed)
    typer.echo(f"written to {deployed.write(deployments)}")


def require_writable(folder: Path) -> None:
    """Raises ConfigError where no deployment file could be written: before it costs gas to have one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(f"--deployments {folder}: {error.strerror}: name a folder that can be written to") from None


def show(deployed: Deployment) -> None:
    """Prints the addresses of a deployment."""
    typer.echo(f"chain {deployed.chain_id}, block {deployed.block}")
    for name, entry in deployed.contracts.items():
        typer.echo(f"  {name:<16} {entry.address}")


def standing(client: Rpc, folder: Path) -> Deployment | None:
    """The deployment in the folder, if it is what the chain holds."""
    try:
        found = Deployment.read(client.chain_id(), folder)
        found.verify(client)
    except DeploymentMissing:
        return None
    return found


if __name__ == "__main__":
    main(deploy)
