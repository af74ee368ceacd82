"""Runs one job's function as a command: errors that are meant for the operator are one line, not a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from kizuna.errors import KizunaError, exit_code


def one_line_errors(job: Callable[..., Any]) -> Callable[..., Any]:
    """`job` with the exit code that belongs to its error."""

    @wraps(job)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return job(*args, **kwargs)
        except KizunaError as error:
            typer.echo(f"{job.__name__}: {error}", err=True)
            raise typer.Exit(exit_code(error)) from None

    return run


def main(job: Callable[..., Any]) -> None:
    """Parses the command line for `job` and runs it."""
    typer.run(one_line_errors(job))
