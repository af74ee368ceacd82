"""Runs a throw-away chain on this machine with the contracts and the test token on it, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from kizuna.chain import Devnet
from kizuna.chain import deploy as deploy_contracts
from kizuna.chain.deployment import FOLDER
from kizuna.chain.devnet import CHAIN_ID, FIRST_KEY
from scripts.command import main
from scripts.deploy import show


def devnet(
    port: Annotated[int, typer.Option(help="Port of the RPC; 0 picks a free one.")] = 8545,
    block_time: Annotated[float, typer.Option(help="Seconds between blocks.", min=0.01)] = 1.0,
    chain_id: Annotated[int, typer.Option(help="Chain id.")] = CHAIN_ID,
    deployments: Annotated[Path, typer.Option(help="Folder of the deployment files.")] = FOLDER,
) -> None:
    """Start anvil, deploy everything, print the addresses, run until Ctrl-C. Nothing on it has any value."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with Devnet(port=port, mining=block_time, chain_id=chain_id) as chain:
        deployed = deploy_contracts(chain.rpc(), chain.deployer(), token=True)
        path = deployed.write(deployments)
        show(deployed)
        typer.echo(f"rpc {chain.url}\ndeployment {path}\nfunded key {FIRST_KEY}\nCtrl-C ends it.")
        while chain.running and not ended.wait(0.2):
            pass
        if not ended.is_set():
            typer.echo("anvil ended by itself", err=True)
            raise typer.Exit(1)


if __name__ == "__main__":
    main(devnet)
