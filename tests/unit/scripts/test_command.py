"""How commands end: the exit code of every error, and that whatever is in it stays on one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer
from support.commands import Command

from kizuna import errors
from kizuna.command import INTERRUPTED, checked_url, run
from scripts.cli import JOBS

ROOT = Path(__file__).resolve().parents[3]
OPERATORS = [
    errors.ConfigError("a"),
    errors.TaskInvalid("rounds", "is no number"),
    errors.DeploymentMissing("a"),
    errors.KeyUnusable("a"),
    errors.RpcUnavailable("a"),
    errors.RpcStale("a"),
    errors.Unfunded("a"),
    errors.OutboxBusy("a"),
    errors.ContentMissing("a"),
    errors.StoreFull("a"),
    errors.NumericsMismatch("a"),
]
OTHERS = [
    errors.ChainError("a"),
    errors.Reverted("Rounds_WrongPhase"),
    errors.BlockCorrupt("a"),
    errors.ContentMalformed("a"),
    errors.LimitExceeded("a"),
]


def job(error: BaseException) -> typer.models.CommandFunctionType:  # type: ignore[type-var]
    def work(count: Annotated[int, typer.Option(min=1)] = 1) -> None:
        """Does nothing but fail."""
        raise error

    return work


@pytest.mark.parametrize(("error", "code"), [*((e, 2) for e in OPERATORS), *((e, 1) for e in OTHERS)])
def test_an_error_is_one_line_and_its_exit_code(
    error: errors.KizunaError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(job(error), []) == code
    assert capsys.readouterr().err == f"work: {error}\n"


def test_what_strangers_wrote_neither_starts_lines_nor_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(job(errors.ConfigError("no\n\x1b[2Jgood\u202e")), []) == 2
    assert capsys.readouterr().err == "work: no [2Jgood\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--count", "0"], "Invalid value for '--count'"),
        (["--count", "many"], "Invalid value for '--count'"),
        (["--count"], "requires an argument"),
        (["--wibble"], "No such option: --wibble"),
        (["more"], "unexpected extra argument"),
    ],
)
def test_a_command_line_that_is_wrong_is_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(job(AssertionError("not to be run")), arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line and "--help" in line


def test_ctrl_c_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(job(KeyboardInterrupt()), []) == INTERRUPTED
    assert capsys.readouterr().err == ""


def test_a_fault_of_the_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(job(ZeroDivisionError()), [])


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://x", "http://", "http://[::1", "http://x:0", "http://x?a", "http://\x07"]
)
def test_an_address_that_is_none_is_refused_by_option(url: str) -> None:
    with pytest.raises(errors.ConfigError, match="--mirror"):
        checked_url("--mirror", url)


def test_an_address_is_taken_without_its_last_slash() -> None:
    assert checked_url("--mirror", "http://192.0.2.7:4001/") == "http://192.0.2.7:4001"


@pytest.mark.parametrize("name", JOBS)
def test_help_says_what_a_job_does_and_needs_and_shows_an_example(name: str, kizuna: Command) -> None:
    ended = kizuna(name, "--help")
    assert ended.code == 0 and ended.err == ""
    paragraphs = ended.out.split("\n\n")
    assert paragraphs[0].startswith("Usage:")
    assert "Needs " in ended.out
    example = next(paragraph for paragraph in paragraphs if paragraph.strip().startswith("Example"))
    assert f"kizuna {name}" in example


@pytest.mark.parametrize(
    "command",
    [["scripts.cli"], ["scripts.cli", "help"], *(["scripts.cli", name, "--help"] for name in ("train", "verify"))],
)
def test_help_needs_no_torch(command: list[str]) -> None:
    probe = (
        "import runpy, sys\n"
        f"sys.argv = {command!r}\n"
        "try:\n    runpy.run_module(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "kizuna" in done.stdout


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("trainer", "train"),
        ("verifier", "verify"),
        *((f"scripts.{n}", n) for n in ("devnet", "deploy", "publish", "mirror", "status")),
    ],
)
def test_every_module_ends_as_the_command_does(module: str, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--wibble"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"{name}: No such option: --wibble (--help teaches)\n"


def test_a_job_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.cli", "wibble"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and all(name in done.stderr for name in JOBS)
