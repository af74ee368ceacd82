"""A mirror: holds what the operators and initiators of this deployment's tasks ask it to, and serves it to anyone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from kizuna.chain import Kizuna
from kizuna.chain.deployment import FOLDER
from kizuna.chain.errors import Slots_NoSlot
from kizuna.command import LOCAL_RPC, Deployments, Port, RpcUrl, ended_by_signal, main
from kizuna.durable import write_whole
from kizuna.errors import ConfigError, StoreError
from kizuna.state import hold
from kizuna.store import Cid, FlatFs, Limits, Pins
from kizuna.store.gateway import Gateway
from kizuna.store.kubo import Kubo
from kizuna.store.mirror import Mirror, Wanted
from kizuna.types import Address

KUBO_TIMEOUT_S = 30.0
LABEL = re.compile(r"task/([1-9][0-9]{0,17})(/round/[1-9][0-9]{0,9})?")


def mirror(
    rpc: RpcUrl = LOCAL_RPC,
    state: Annotated[Path, typer.Option(help="Folder for the content.", metavar="FOLDER")] = Path("state/mirror"),
    host: Annotated[str, typer.Option(help="Address to listen on.", metavar="HOST")] = "127.0.0.1",
    port: Port = 0,
    max_gigabytes: Annotated[
        float, typer.Option(help="Most that one request may bring in.", min=0.001, max=1_000_000)
    ] = 4.0,
    url_file: Annotated[
        Path | None, typer.Option(help="Write the URL here when ready.", metavar="FILE", show_default=False)
    ] = None,
    kubo: Annotated[
        str | None,
        typer.Option(
            help="RPC of a Kubo node that is to pin the same content (extra `ipfs`), such as /ip4/127.0.0.1/tcp/5001.",
            metavar="MULTIADDRESS",
            show_default=False,
        ),
    ] = None,
    deployments: Deployments = FOLDER,
) -> None:
    """Hold content for tasks and serve it to anyone, until Ctrl-C.

    Needs a chain RPC and the network's deployment file; no key. Takes what initiators and slot holders of this
    deployment's tasks ask it to. A task names its mirrors by their URL, so give it a --port that stays.

    \b
    Example:
      kizuna mirror --port 4000 --state state/mirror
    """
    with ExitStack() as stack:
        stack.enter_context(hold(state))
        chain = Kizuna.connect(rpc, deployments=deployments)
        stack.callback(chain.close)
        blocks = FlatFs(state / "blocks")
        stack.callback(blocks.close)
        pins = Pins(blocks, state / "pins.sqlite")
        stack.callback(pins.close)
        limits = Limits(max_bytes=int(max_gigabytes * 1e9))
        on_held = None if kubo is None else stack.enter_context(pinned_by(Kubo(kubo, timeout_s=KUBO_TIMEOUT_S), pins))
        held = Mirror(pins, state / "mirror.sqlite", authorize=takes_part(chain), limits=limits, on_held=on_held)
        stack.callback(held.close)
        gateway = stack.enter_context(_listening(blocks, held, host, port))
        ended = ended_by_signal()
        typer.echo(f"mirror at {gateway.url}")
        if url_file is not None:
            _write(url_file, gateway.url)
        ended.wait()


@contextmanager
def pinned_by(node: Kubo, pins: Pins) -> Iterator[Callable[[Wanted], object]]:
    """Has the node hold every root of the mirror, and each that is handed to what this yields.

    In a thread of its own: a node that hangs must not keep trainers waiting. What it refuses is reported, and tried
    again by the next run. Raises ConfigError if there is no node.
    """
    try:
        node.has(Cid.of(b""))
    except StoreError as error:
        raise ConfigError(f"--kubo: {error}: is it running, and open to this machine?") from None

    def keep(want: Wanted) -> None:
        try:
            node.keep(pins.blocks, want.cid, recursive=want.recursive)
        except StoreError as error:
            typer.echo(f"mirror: {want.cid} is held here, but not by Kubo: {error}", err=True)

    pool = ThreadPoolExecutor(1, thread_name_prefix="kizuna-kubo")
    for pin in pins.roots():
        pool.submit(keep, Wanted(pin.cid, pin.recursive))
    try:
        yield lambda want: pool.submit(keep, want)
    finally:
        pool.shutdown(cancel_futures=True)


def _listening(blocks: FlatFs, held: Mirror, host: str, port: int) -> Gateway:
    try:
        return Gateway(blocks, host=host, port=port, routes=held.routes)
    except OSError as error:
        raise ConfigError(
            f"--host {host} --port {port}: {error.strerror}: choose another, or port 0 for a free one"
        ) from None


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise ConfigError(f"--url-file {path}: {error.strerror}") from None


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
