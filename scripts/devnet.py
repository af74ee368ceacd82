"""Runs a throw-away chain on this machine with the contracts and the test token on it, until Ctrl-C."""

from __future__ import annotations

from typing import Annotated

import typer

from kizuna.chain import Devnet
from kizuna.chain import deploy as deploy_contracts
from kizuna.chain.deployment import FOLDER
from kizuna.chain.devnet import CHAIN_ID, FIRST_KEY
from kizuna.command import Deployments, Port, ended_by_signal, main
from kizuna.errors import ChainError, ConfigError
from scripts.deploy import require_writable, show


def devnet(
    port: Port = 8545,
    block_time: Annotated[float, typer.Option(help="Seconds between blocks.", min=0.01, max=3600)] = 1.0,
    chain_id: Annotated[int, typer.Option(help="Chain id.", min=1, max=2**53 - 1)] = CHAIN_ID,
    deployments: Deployments = FOLDER,
) -> None:
    """Run a throw-away chain with the contracts and a test token on it, until Ctrl-C. Nothing on it has any value.

    Needs anvil, which `make setup` installs. Prints the RPC's URL and a funded key, and writes the deployment file.

    \b
    Example:
      kizuna devnet --port 8545 --block-time 1
    """
    require_writable(deployments)
    with _started(port, block_time, chain_id) as chain:
        deployed = deploy_contracts(chain.rpc(), chain.deployer(), token=True)
        path = deployed.write(deployments)
        show(deployed)
        ended = ended_by_signal()
        typer.echo(f"rpc {chain.url}\ndeployment {path}\nfunded key {FIRST_KEY}\nCtrl-C ends it.")
        while chain.running and not ended.wait(0.2):
            pass
        if not ended.is_set():
            raise ChainError("anvil ended by itself")


def _started(port: int, block_time: float, chain_id: int) -> Devnet:
    try:
        return Devnet(port=port, mining=block_time, chain_id=chain_id)
    except ChainError as error:
        raise ConfigError(f"--port {port}: {error}: choose another, or 0 for a free one") from None


if __name__ == "__main__":
    main(devnet)
