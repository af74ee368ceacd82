"""`python -m verifier`: one verifier of one task, until the task is over or Ctrl-C."""

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
from kizuna.types import Role


def verify(
    task: TaskNumber,
    rpc: RpcUrl = LOCAL_RPC,
    key: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    state: Annotated[Path, typer.Option(help="Folder for everything this verifier keeps.", metavar="FOLDER")] = Path(
        "state/verifier"
    ),
    mirror: Mirrors = None,
    drand: DrandRelays = None,
    deployments: Deployments = FOLDER,
    lazy: Annotated[
        bool, typer.Option("--lazy", help="For demonstrations and tests: pass everything unseen. It costs the stake.")
    ] = False,
) -> None:
    """Verify a task: stake if there is no seat yet, then attest, check, vote, judge and collect, round after round.

    Needs a chain RPC, the network's deployment file, a mirror that holds the task, and a key with ether for gas and
    tokens for the stake and for challenges. Stopped with Ctrl-C or killed, it goes on where it was when it is started
    again with the same --state.

    \b
    Example:
      kizuna verify --task 1 --mirror http://127.0.0.1:4000 --key verifier.key
    """
    mirrors = tuple(checked_url("--mirror", url) for url in mirror or ())
    account = keys.load(key, passphrase_file=passphrase_file)
    # From here on torch is needed, which takes seconds to load.
    from kizuna.node.agent import Options, run
    from verifier.agent import Verifier

    options = Options(
        task=task,
        rpc=rpc,
        state=state,
        mirrors=mirrors,
        drand=tuple(checked_url("--drand", url) for url in drand or ()) or ENDPOINTS,
        deployments=deployments,
    )
    run(Role.VERIFIER, options, account, lambda node: Verifier(node, is_lazy=lazy))


if __name__ == "__main__":
    main(verify)
