"""Processes that are killed by SIGKILL, at any call that reaches the disk or at any moment."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

Work = Callable[[Path], None]

REACHES_DISK = frozenset(
    {"open", "write", "flush", "fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "utime", "close", "execute"}
)
CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.utime"})
OURS = ("/kizuna/", "/trainer/", "/verifier/", "/pathlib.py", "/shutil.py")


def killed_at(point: int, work: Callable[[], None]) -> bool:
    """Runs `work` in a process of its own that kills itself at the so-manieth call that reaches the disk.

    Every call has two points, before and after it. False if the work was done before that.
    """
    return _in_child(lambda: (_arm(point), work()))


def killed_at_file(point: int, folder: Path, work: Callable[[], None]) -> bool:
    """As `killed_at`, counting only what changes the files of a folder. It hardly slows the work down."""
    return _in_child(lambda: (_arm_files(point, f"{folder}/"), work()))


def at_every_point(start: Path, write: Work, check: Work, *, stride: int = 1) -> int:
    """Kills `write` at every `stride`-th point, each time on a fresh copy of `start`; how many points there were.

    After each kill, `check` must hold as it is, and again after `write` has run to its end, with nothing cleaned up.
    """
    point = 1
    while True:
        folder = start.with_name(f"{start.name}-{point}")
        shutil.copytree(start, folder)
        killed = killed_at(point, lambda folder=folder: write(folder))  # type: ignore[misc]
        _must_succeed(folder, check, write, check)
        shutil.rmtree(folder)
        if not killed:
            return point - 1
        point += stride


def at_any_moment(folder: Path, write: Work, check: Work, *, kills: int, longest_s: float) -> None:
    """Kills a process that writes over and over so many times, each after a random time. `check` must always hold."""

    def over_and_over() -> None:
        while True:
            write(folder)

    moments = random.Random(1)
    for kill in range(kills):
        pid = os.fork()
        if pid == 0:
            _end(over_and_over)
        time.sleep(moments.uniform(0.0, longest_s))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), f"the writer ended by itself before kill {kill}"
        _must_succeed(folder, check)


def _must_succeed(folder: Path, *steps: Work) -> None:
    """As after a restart: in a process that knows nothing but the disk."""
    _in_child(lambda: [step(folder) for step in steps])


def _in_child(work: Callable[[], Any]) -> bool:
    """Whether a forked process that does `work` was killed. Raises AssertionError if it failed."""
    assert threading.active_count() == 1, "only a process of one thread may be forked"
    pid = os.fork()
    if pid == 0:
        _end(work)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"ended by signal {os.WTERMSIG(status)}"
        return True
    assert os.WEXITSTATUS(status) == 0, "failed: see its traceback"
    return False


def _end(work: Callable[[], Any]) -> None:
    """Does `work` and ends this process, whatever happens."""
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.setprofile(None)
        sys.stderr.flush()
        os._exit(code)


def _arm(point: int) -> None:
    left = point

    def count(frame: FrameType, event: str, called: Any) -> None:
        nonlocal left
        if event not in ("c_call", "c_return") or called.__name__ not in REACHES_DISK:
            return
        if any(part in frame.f_code.co_filename for part in OURS):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def _arm_files(point: int, prefix: str) -> None:
    left = point

    def count(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        changes = event in CHANGES or (event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR))
        if changes and str(args[0]).startswith(prefix):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
