"""A state folder is one process's at a time, and one operator's for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kizuna.errors import ConfigError
from kizuna.state import hold

HOLDER = """
import sys, time
from pathlib import Path
from kizuna.state import hold
with hold(Path(sys.argv[1]), operator="0xa"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_made_and_held_once_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with hold(folder):
        assert folder.is_dir()
        with pytest.raises(ConfigError, match=f"{folder}: another process is using it"), hold(folder):
            raise AssertionError("held twice")
    with hold(folder):
        pass


def test_a_folder_of_one_operator_is_no_other_operators(tmp_path: Path) -> None:
    for operator in ("0xa", "0xa", ""):
        with hold(tmp_path, operator=operator):
            pass
    with pytest.raises(ConfigError, match="belongs to 0xa, not to 0xb"), hold(tmp_path, operator="0xb"):
        raise AssertionError("not to be entered")
    with hold(tmp_path, operator="0xa"):
        pass


def test_a_process_that_is_killed_lets_go(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="another process"), hold(tmp_path, operator="0xa"):
            raise AssertionError("held twice")
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(20)
    with hold(tmp_path, operator="0xa"):
        pass


def test_a_folder_that_cannot_be_is_refused_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for folder, why in ((file, "File exists"), (file / "below", "Not a directory")):
        with pytest.raises(ConfigError, match=f"--state {folder}: {why}"), hold(folder):
            raise AssertionError("not to be entered")


def test_what_goes_wrong_inside_is_not_blamed_on_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), hold(tmp_path):
        raise FileNotFoundError
    with hold(tmp_path):
        pass
