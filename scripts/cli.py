"""`kizuna JOB`: every job of this folder, and the two agents, under one command."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import click
import typer

from scripts.command import one_line_errors

JOBS = {
    "demo": ("scripts.demo", "The whole protocol on this machine, with its promises checked."),
    "devnet": ("scripts.devnet", "A throw-away chain with the contracts on it."),
    "deploy": ("scripts.deploy", "Deploy the contracts to a chain."),
    "publish": ("scripts.publish", "Publish a task."),
    "train": ("trainer.__main__", "Take part as a trainer."),
    "verify": ("verifier.__main__", "Take part as a verifier."),
    "mirror": ("scripts.mirror", "Hold and serve content for tasks."),
    "status": ("scripts.status", "Show where a task stands."),
}


class Jobs(click.Group):
    """Imports a job only when it is run: most need no torch, and importing that takes seconds."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(JOBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in JOBS:
            return None
        module = import_module(JOBS[cmd_name][0])
        job: Callable[..., Any] = getattr(module, cmd_name)
        app = typer.Typer(add_completion=False)
        app.command(name=cmd_name)(one_line_errors(job))
        command: click.Command = typer.main.get_command(app)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Jobs"):
            formatter.write_dl([(name, text) for name, (_, text) in JOBS.items()])


@click.group(cls=Jobs)
def app() -> None:
    """People who do not trust each other train one model together and are paid for it."""


if __name__ == "__main__":
    app()
