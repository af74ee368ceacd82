"""Ctrl-C while a command loads, waits, works or serves: it ends soon, in order, and without a traceback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.nodes import Silent
from support.tasks import PRICE
from support.training import World

from kizuna.command import INTERRUPTED

ROOT = Path(__file__).resolve().parents[3]
TINY = ROOT / "tests" / "e2e" / "tiny.yaml"
QUIET = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA_")}
STRANGER = "77" * 32

INTERRUPTED_IMPORT = """
import os, runpy, signal, sys

imported, module, *options = sys.argv[1:]

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == imported:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["-m", *options]
runpy.run_module(module, run_name="__main__")
"""
"""Runs a module as `python -m` does, with Ctrl-C at the moment at which it imports another."""


class Running:
    """A command in a process of its own."""

    def __init__(self, *command: object, key: str = STRANGER) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            env=QUIET | {"KIZUNA_KEY": key, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, text: str) -> None:
        """Waits for a line of its output."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if text in line:
                return
        raise AssertionError(f"it ended without saying {text!r}: {self.process.communicate()[1]}")

    def interrupt(self) -> str:
        """Ctrl-C; the rest of its output."""
        self.process.send_signal(signal.SIGINT)
        return self.rest()

    def rest(self) -> str:
        """What it still says until it ends, which it must do without complaint."""
        said, complaints = self.process.communicate(timeout=60)
        assert complaints == ""
        return said

    @property
    def code(self) -> int:
        return int(self.process.returncode)


@pytest.fixture
def begin() -> Iterator[Callable[..., Running]]:
    """Starts commands; those that a failed test leaves behind are killed."""
    with ExitStack() as stack:

        def start(*command: object, **how: str) -> Running:
            running = Running(*command, **how)
            stack.callback(running.process.kill)
            return running

        yield start


@pytest.mark.parametrize(
    ("module", "imported", "code"),
    [
        ("scripts.cli", "kizuna.errors", -signal.SIGINT),  # which a shell shows as 130
        ("scripts.status", "eth_abi", -signal.SIGINT),
        ("trainer", "typer", -signal.SIGINT),
        ("verifier", "httpx", -signal.SIGINT),
        ("trainer", "torch", INTERRUPTED),
    ],
)
def test_while_it_loads(begin: Callable[..., Running], module: str, imported: str, code: int) -> None:
    options = {"scripts.cli": ["status"], "scripts.status": []}.get(module, ["--task", "1"])
    running = begin("-c", INTERRUPTED_IMPORT, imported, module, *options)
    assert running.rest() == ""
    assert running.code == code


def test_while_a_node_says_nothing(begin: Callable[..., Running], tmp_path: Path) -> None:
    agent = ["--task", "1", "--mirror", "http://192.0.2.7:4001"]
    more = {"status": [], "deploy": [], "mirror": [], "publish": [TINY, *agent[2:]], "train": agent, "verify": agent}
    with ExitStack() as stack:
        nodes = {job: stack.enter_context(Silent()) for job in more}
        running = {
            job: begin(
                "-m", "scripts.cli", job, *options, "--rpc", nodes[job].url, "--deployments", tmp_path,
                *(() if job in ("status", "deploy") else ("--state", tmp_path / job)),
            )
            for job, options in more.items()
        }  # fmt: skip
        for job, command in running.items():
            assert nodes[job].called.wait(60), job
            command.interrupt()
            assert command.code == INTERRUPTED, job


def test_while_it_serves(begin: Callable[..., Running], here: World, tmp_path: Path) -> None:
    devnet = begin("-m", "scripts.cli", "devnet", "--port", 0, "--block-time", 0.1, "--deployments", tmp_path)
    where = ("--rpc", here.devnet.url, "--deployments", here.folder, "--state", tmp_path / "mirror")
    mirror = begin("-m", "scripts.cli", "mirror", *where)
    for running, text in ((mirror, "mirror at"), (devnet, "Ctrl-C ends it")):
        running.until(text)
        assert running.interrupt() == ""
        assert running.code == 0


def test_while_agents_take_part(begin: Callable[..., Running], here: World, tmp_path: Path) -> None:
    running = []
    for module in ("trainer", "verifier"):
        account = here.devnet.account(f"interrupted {module}")
        here.chain.faucet(100 * PRICE, to=account.address)
        where = ("--rpc", here.devnet.url, "--deployments", here.folder, "--state", tmp_path / module)
        task = ("--task", here.task, "--mirror", here.mirror.url)
        running.append(begin("-m", module, *task, *where, key=bytes(account.key).hex()))
    for agent in running:
        agent.until("joined as")
        assert "stopped" in agent.interrupt()
        assert agent.code == 0


def test_while_it_makes_a_genesis(begin: Callable[..., Running], here: World, tmp_path: Path) -> None:
    task_file = tmp_path / "task.yaml"
    task_file.write_text(TINY.read_text().replace("warmup_steps: 20", "warmup_steps: 100000"))
    account = here.devnet.account("interrupted initiator")
    here.chain.faucet(300 * PRICE, to=account.address)
    where = ("--rpc", here.devnet.url, "--deployments", here.folder, "--state", tmp_path / "state")
    publish = begin(
        "-m", "scripts.cli", "publish", task_file, "--mirror", here.mirror.url, *where, key=bytes(account.key).hex()
    )
    publish.until("making the genesis")
    publish.interrupt()
    assert publish.code == INTERRUPTED
    assert here.chain.token_balance(here.params.token, account.address) == 300 * PRICE


def test_while_the_demo_runs_and_no_process_is_left_behind(begin: Callable[..., Running]) -> None:
    demo = begin("-m", "scripts.cli", "demo", TINY)
    demo.until("publishing the task")
    said = demo.interrupt()
    assert demo.code == INTERRUPTED
    folder = said.strip().splitlines()[-1].removeprefix("logs and stores: ")
    assert Path(folder).is_dir()
    shutil.rmtree(folder)
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert folder.encode() not in process.read_bytes()
        except OSError:  # ended meanwhile
            continue
