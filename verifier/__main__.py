"""`python -m verifier`: one verifier of one task, until the task is over or Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kizuna.chain.deployment import FOLDER
from kizuna.node.agent import Options, run
from kizuna.types import Role


def verify(
    task: Annotated[int, typer.Option(help="Number of the task.")],
    rpc: Annotated[str, typer.Option(help="URL of the chain's RPC.")] = "http://127.0.0.1:8545",
    key: Annotated[str | None, typer.Option(help="Key file or keystore; else KIZUNA_KEY.", show_default=False)] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Passphrase of the keystore; else KIZUNA_PASSPHRASE.", show_default=False)
    ] = None,
    state: Annotated[Path, typer.Option(help="Folder for everything this verifier keeps.")] = Path("state/verifier"),
    mirror: Annotated[
        list[str] | None, typer.Option(help="Mirror to find the task at; repeatable.", show_default=False)
    ] = None,
    deployments: Annotated[Path, typer.Option(help="Folder of the deployment files.")] = FOLDER,
    lazy: Annotated[
        bool, typer.Option("--lazy", help="For demonstrations and tests: pass everything unseen. It costs the stake.")
    ] = False,
) -> None:
    """Verify a task: stakes if it has no seat yet, then attests, checks, votes, judges and collects, round after round.

    Stopped with Ctrl-C or killed, it goes on where it was when it is started again with the same --state.
    """
    from verifier.agent import Verifier

    options = Options(
        task=task,
        rpc=rpc,
        key=key,
        passphrase_file=passphrase_file,
        state=state,
        mirrors=tuple(mirror or ()),
        deployments=deployments,
    )
    run(Role.VERIFIER, options, lambda node: Verifier(node, is_lazy=lazy))


if __name__ == "__main__":
    typer.run(verify)
