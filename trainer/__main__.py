"""`python -m trainer`: one trainer of one task, until the task is over or Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kizuna.chain.deployment import FOLDER
from kizuna.errors import ConfigError, StoreError
from kizuna.node.agent import Options, run
from kizuna.store.sources import check_source
from kizuna.types import Role


def train(
    task: Annotated[int, typer.Option(help="Number of the task.")],
    rpc: Annotated[str, typer.Option(help="URL of the chain's RPC.")] = "http://127.0.0.1:8545",
    key: Annotated[str | None, typer.Option(help="Key file or keystore; else KIZUNA_KEY.", show_default=False)] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Passphrase of the keystore; else KIZUNA_PASSPHRASE.", show_default=False)
    ] = None,
    state: Annotated[Path, typer.Option(help="Folder for everything this trainer keeps.")] = Path("state/trainer"),
    mirror: Annotated[
        list[str] | None, typer.Option(help="Mirror to find the task at; repeatable.", show_default=False)
    ] = None,
    deployments: Annotated[Path, typer.Option(help="Folder of the deployment files.")] = FOLDER,
    listen: Annotated[str, typer.Option(help="Where to serve content, HOST:PORT; port 0 picks one.")] = "127.0.0.1:0",
    public_url: Annotated[
        str | None, typer.Option(help="URL at which others reach it, if not that address.", show_default=False)
    ] = None,
    cheat: Annotated[
        str, typer.Option(help="For demonstrations and tests: how to cheat. It costs the stake.")
    ] = "none",
) -> None:
    """Train on a task: stakes if it has no slot yet, then trains, commits and collects, round after round.

    Stopped with Ctrl-C or killed, it goes on where it was when it is started again with the same --state.
    """
    from trainer.agent import Trainer
    from trainer.cheats import CHEATS

    try:
        if cheat not in CHEATS:
            raise ConfigError(f"--cheat {cheat}: there are {', '.join(CHEATS)}")
        options = Options(
            task=task,
            rpc=rpc,
            key=key,
            passphrase_file=passphrase_file,
            state=state,
            mirrors=tuple(mirror or ()),
            deployments=deployments,
            listen=address_of(listen, public_url),
            public_url=None if public_url is None else check_source(public_url),
        )
    except (ConfigError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    run(Role.TRAINER, options, lambda node: Trainer(node, CHEATS[cheat]))


def address_of(listen: str, public_url: str | None) -> tuple[str, int]:
    """HOST:PORT in two parts; IPv6 hosts stand in brackets. Raises ConfigError."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"--listen {listen}: must be HOST:PORT, such as 192.0.2.7:4001")
    if host in ("0.0.0.0", "::") and public_url is None:
        raise ConfigError(f"--listen {listen}: say with --public-url at which address others reach it")
    return host, int(port)


if __name__ == "__main__":
    typer.run(train)
