"""`python -m trainer`: one trainer of one task, until the task is over or Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kizuna.chain import keys
from kizuna.chain.deployment import FOLDER
from kizuna.chain.drand import ENDPOINTS
from kizuna.command import (
    LOCAL_RPC,
    Deployments,
    DrandRelays,
    KeyFile,
    Mirrors,
    PassphraseFile,
    RpcUrl,
    TaskNumber,
    checked_url,
    main,
)
from kizuna.errors import ConfigError
from kizuna.types import Role

MAX_URL = 256


def train(
    task: TaskNumber,
    rpc: RpcUrl = LOCAL_RPC,
    key: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    state: Annotated[Path, typer.Option(help="Folder for everything this trainer keeps.", metavar="FOLDER")] = Path(
        "state/trainer"
    ),
    mirror: Mirrors = None,
    drand: DrandRelays = None,
    deployments: Deployments = FOLDER,
    listen: Annotated[
        str, typer.Option(help="Where to serve content; port 0 picks one.", metavar="HOST:PORT")
    ] = "127.0.0.1:0",
    public_url: Annotated[
        str | None,
        typer.Option(help="URL at which others reach it, if not that address.", metavar="URL", show_default=False),
    ] = None,
    cheat: Annotated[
        str, typer.Option(help="For demonstrations and tests: how to cheat. It costs the stake.", metavar="HOW")
    ] = "none",
) -> None:
    """Train on a task: stake if there is no slot yet, then train, commit and collect, round after round.

    Needs a chain RPC, the network's deployment file, a mirror that holds the task, and a key with ether for gas and
    tokens for the stake. Stopped with Ctrl-C or killed, it goes on where it was when it is started again with the
    same --state.

    \b
    Example:
      kizuna train --task 1 --mirror http://127.0.0.1:4000 --key trainer.key
    """
    listen_at = address_of(listen, public_url)
    reached_at = None if public_url is None else checked_url("--public-url", public_url)
    if len(reached_at or "") > MAX_URL:
        raise ConfigError(f"--public-url: longer than the {MAX_URL} characters that the contracts take")
    mirrors = tuple(checked_url("--mirror", url) for url in mirror or ())
    account = keys.load(key, passphrase_file=passphrase_file)
    # From here on torch is needed, which takes seconds to load.
    from kizuna.node.agent import Options, run
    from trainer.agent import Trainer
    from trainer.cheats import CHEATS

    if cheat not in CHEATS:
        raise ConfigError(f"--cheat {cheat}: there are {', '.join(CHEATS)}")
    options = Options(
        task=task,
        rpc=rpc,
        state=state,
        mirrors=mirrors,
        drand=tuple(checked_url("--drand", url) for url in drand or ()) or ENDPOINTS,
        deployments=deployments,
        listen=listen_at,
        public_url=reached_at,
    )
    run(Role.TRAINER, options, account, lambda node: Trainer(node, CHEATS[cheat]))


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
    main(train)
