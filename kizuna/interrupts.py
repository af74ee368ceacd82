"""Ctrl-C while Python still loads modules: no traceback, whatever was being imported."""

from __future__ import annotations

import signal
import sys


def quiet_start() -> None:
    """For a package's `__init__`: `quiet`, if it is this package that Python was told to run.

    While `python -m` locates what to run, sys.argv[0] is "-m".
    """
    if sys.argv[:1] == ["-m"]:
        quiet()


def quiet() -> None:
    """From now on Ctrl-C ends the process on the spot."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def loud() -> None:
    """From now on Ctrl-C is a KeyboardInterrupt, so that what was begun is ended in order."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
