"""A mirror: holds what the operators and initiators of this deployment's tasks ask it to, and serves it to anyone."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from kizuna.chain import Kizuna
from kizuna.chain.deployment import FOLDER
from kizuna.chain.errors import Slots_NoSlot
from kizuna.store import FlatFs, Limits, Pins
from kizuna.store.gateway import Gateway
from kizuna.store.mirror import Mirror
from kizuna.types import Address
from scripts.command import main

LABEL = re.compile(r"task/([1-9][0-9]{0,17})(/round/[1-9][0-9]{0,9})?")


def mirror(
    rpc: Annotated[str, typer.Option(help="URL of the chain's RPC.")] = "http://127.0.0.1:8545",
    state: Annotated[Path, typer.Option(help="Folder for the content.")] = Path("state/mirror"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 0,
    max_gigabytes: Annotated[float, typer.Option(help="Most that one request may bring in.", min=0.001)] = 4.0,
    url_file: Annotated[Path | None, typer.Option(help="Write the URL here when ready.", show_default=False)] = None,
    deployments: Annotated[Path, typer.Option(help="Folder of the deployment files.")] = FOLDER,
) -> None:
    """Run a mirror until Ctrl-C."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    chain = Kizuna.connect(rpc, deployments=deployments)
    state.mkdir(parents=True, exist_ok=True)
    blocks = FlatFs(state / "blocks")
    pins = Pins(blocks, state / "pins.sqlite")
    limits = Limits(max_bytes=int(max_gigabytes * 1e9))
    held = Mirror(pins, state / "mirror.sqlite", authorize=takes_part(chain), limits=limits)
    with Gateway(blocks, host=host, port=port, routes=held.routes) as gateway:
        typer.echo(f"mirror at {gateway.url}")
        if url_file is not None:
            partial = url_file.with_suffix(".partial")
            partial.write_text(gateway.url)
            os.replace(partial, url_file)
        ended.wait()
    held.close()
    pins.close()
    blocks.close()
    chain.close()


def takes_part(chain: Kizuna) -> Callable[[Address, Mapping[str, Any]], bool]:
    """Says whether an account may have content held: it started the task that the label names, or has a slot in it."""

    def authorize(sender: Address, request: Mapping[str, Any]) -> bool:
        label = LABEL.fullmatch(str(request.get("label", "")))
        if label is None:
            return False
        task = int(label[1])
        if task > chain.task_count():
            return False
        if chain.initiator_of(task) == sender:
            return True
        try:
            chain.slot_of(task, sender)
        except Slots_NoSlot:
            return False
        return True

    return authorize


if __name__ == "__main__":
    main(mirror)
