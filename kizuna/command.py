"""Runs one job's function as a command: every way it can end has an exit code, and every error is one line."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from typer.main import get_command

from kizuna.errors import ConfigError, KizunaError, StoreError, exit_code
from kizuna.interrupts import loud
from kizuna.store.sources import check_source
from kizuna.text import one_line

INTERRUPTED = 130

RpcUrl = Annotated[str, typer.Option("--rpc", help="URL of the chain's RPC.", metavar="URL")]
LOCAL_RPC = "http://127.0.0.1:8545"
KeyFile = Annotated[
    str | None, typer.Option("--key", help="Key file or keystore; else KIZUNA_KEY.", metavar="FILE", show_default=False)
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="Passphrase of the keystore; else KIZUNA_PASSPHRASE.", metavar="FILE", show_default=False),
]
Deployments = Annotated[Path, typer.Option(help="Folder of the deployment files.", metavar="FOLDER")]
TaskNumber = Annotated[int, typer.Option("--task", help="Number of the task.", min=1, metavar="TASK")]
Mirrors = Annotated[
    list[str] | None,
    typer.Option("--mirror", help="Mirror to find the task at; repeatable.", metavar="URL", show_default=False),
]
DrandRelays = Annotated[
    list[str] | None,
    typer.Option(
        "--drand",
        help="Where to fetch drand's rounds, if the task draws by them; repeatable.",
        metavar="URL",
        show_default="the public relays",
    ),
]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65_535)]

UsageError: Any = typer.BadParameter.__base__
"""What any complaint about a command line is. Typer carries the class about in different modules."""


def main(job: Callable[..., Any]) -> None:
    """Runs `job` on the command line of this process and ends with its exit code."""
    loud()
    sys.exit(run(job, sys.argv[1:]))


def run(job: Callable[..., Any], arguments: Sequence[str]) -> int:
    """Runs `job`; its exit code: 0, 2 for what the operator has to change, 1 for other faults, 130 for Ctrl-C."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(job)
    name = job.__name__
    try:
        ended = get_command(app).main(list(arguments), standalone_mode=False)
        return int(ended or 0)
    except UsageError as error:
        return _fail(name, f"{error.format_message()} (--help teaches)", 2)
    except KizunaError as error:
        return _fail(name, str(error), exit_code(error))
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED


def checked_url(option: str, url: str) -> str:
    """A URL from the command line without its last slash. Raises ConfigError unless it is a plain http or https one."""
    try:
        return check_source(url)
    except StoreError:
        raise ConfigError(f"{option} {url}: must be a plain address such as http://192.0.2.7:4001") from None


def ended_by_signal() -> threading.Event:
    """An event that Ctrl-C or SIGTERM sets from now on; a second one ends the process as it stands."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        if ended.is_set():
            os._exit(INTERRUPTED)
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return ended


def _fail(name: str, text: str, code: int) -> int:
    typer.echo(f"{name}: {one_line(text)}", err=True)
    return code
