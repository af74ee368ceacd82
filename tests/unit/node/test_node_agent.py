"""The shell of an agent: what it refuses in one line, whose turn it is, what it derives from its key and keeps."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from support.tasks import PRICE
from support.training import World, committed_by, context, world

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.chain.structs import TaskState
from kizuna.errors import ChainError, ConfigError, KizunaError, NumericsMismatch, TaskInvalid, exit_code
from kizuna.node.agent import REPORT_BLOCKS, STALL_BLOCKS, TURN_BLOCKS, Node, Options, run
from kizuna.node.task_context import TaskContext, file_digest
from kizuna.state import hold
from kizuna.store import RAW, Cid, unixfs
from kizuna.types import Digest, Phase, Role


@pytest.fixture
def here(devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna], tmp_path: Path) -> Iterator[World]:
    with world(devnet, deployment, client, tmp_path) as published:
        yield published


class Stops:
    """An agent that fails at its first steps as told, and then is done."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.steps, self.closed = list(errors), 0, False

    def step(self, chain: object) -> bool:
        self.steps += 1
        if self.errors:
            raise self.errors.pop(0)
        return True

    def close(self) -> None:
        self.closed = True


def options_of(here: World, **changes: object) -> Options:
    usual = Options(
        task=here.task,
        rpc=here.devnet.url,
        state=here.folder / "agent",
        mirrors=(here.mirror.url,),
        deployments=here.folder,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def started(here: World, make: Callable[[Node], Stops], **changes: object) -> None:
    run(Role.TRAINER, options_of(here, **changes), here.devnet.account("agent"), make)


def refused(here: World, agent: Stops, **changes: object) -> tuple[int, str]:
    """Exit code and text of the error with which an agent does not even start."""
    with pytest.raises(KizunaError) as caught:
        started(here, lambda node: agent, **changes)
    assert agent.steps == 0
    return exit_code(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"task": 99}, "there is no task 99: this deployment has tasks 1 to"),
        ({"deployments": Path("nowhere")}, "31337.json is missing"),
        ({"rpc": "http://127.0.0.1:9"}, "127.0.0.1:9"),
        ({"state": Path("/dev/null/state")}, "/dev/null/state"),
    ],
)
def test_wrong_input_is_told_before_anything_is_done(here: World, change: dict[str, object], text: str) -> None:
    code, line = refused(here, Stops(), **change)
    assert code == 2
    assert text in line


def test_two_processes_cannot_share_a_state(here: World) -> None:
    with hold(here.folder / "agent"):
        code, line = refused(here, Stops())
    assert code == 2
    assert "another process is using it" in line


@pytest.mark.usefixtures("signals")
def test_state_of_another_operator_is_refused(here: World) -> None:
    started(here, lambda node: Stops())
    stranger = here.devnet.account("stranger")
    with pytest.raises(ConfigError, match=f"not to {stranger.address}"):
        run(Role.TRAINER, options_of(here), stranger, lambda node: Stops())
    started(here, lambda node: Stops())


@pytest.mark.usefixtures("signals")
def test_machine_of_another_numerics_class_is_refused(
    devnet: Devnet,
    deployment: Deployment,
    client: Callable[[str], Kizuna],
    tmp_path: Path,
) -> None:
    with world(devnet, deployment, client, tmp_path, numerics_id=Digest(b"\x11" * 32)) as foreign:
        code, line = refused(foreign, Stops())
    assert code == 2
    assert "needs numerics class 1111111111111111" in line


@pytest.mark.usefixtures("signals")
def test_trouble_with_the_chain_is_waited_out(here: World, capsys: pytest.CaptureFixture[str]) -> None:
    agent = Stops(ChainError("the node is asleep"))

    class Impatient(Event):
        """Mines a block instead of waiting for one."""

        def wait(self, timeout: float | None = None) -> bool:
            here.devnet.mine()
            return self.is_set()

    def make(node: Node) -> Stops:
        node.stop = Impatient()
        return agent

    started(here, make)
    assert agent.steps == 2
    assert agent.closed
    said = capsys.readouterr().out
    assert "waiting: the node is asleep" in said
    assert "the task is over" in said


@pytest.mark.usefixtures("signals")
def test_signal_ends_the_loop_after_the_step(here: World, capsys: pytest.CaptureFixture[str]) -> None:
    class Signalled(Stops):
        def step(self, chain: object) -> bool:
            os.kill(os.getpid(), signal.SIGTERM)
            super().step(chain)
            return False

    agent = Signalled()
    started(here, lambda node: agent)
    assert (agent.steps, agent.closed) == (1, True)
    assert "stopped" in capsys.readouterr().out


def test_unfunded_operator_is_told_what_it_needs(here: World) -> None:
    with here.node("poor") as node:
        poor = Node(replace(node.options, state=here.folder / "poorer"), Role.TRAINER, here.devnet.account("poorer"))
    with poor, pytest.raises(ChainError, match=rf"needs {10 * PRICE} wei"):
        poor.join(secret_tip=bytes(32))


def test_operator_of_the_other_role_is_refused(here: World) -> None:
    with here.node("both") as node:
        node.join(secret_tip=bytes(32))
    with here.node("both", Role.VERIFIER) as node, pytest.raises(ConfigError, match="already a trainer"):
        node.position(node.chain.at(node.chain.block))


def test_secrets_follow_from_key_and_purpose_alone(here: World) -> None:
    with here.node("one") as node:
        first, other, numbered = node.secret("ballot"), node.secret("jury"), node.secret("ballot", 1)
    with here.node("two") as node:
        foreign = node.secret("ballot")
    with here.node("one") as node:
        assert node.secret("ballot") == first
    assert len({first, other, numbered, foreign}) == 4


def test_trainers_leave_opening_to_verifiers_first(here: World) -> None:
    with here.node("trainer") as node:
        position = node.join(secret_tip=bytes(32))
        turn = TURN_BLOCKS * (here.params.verifier_seats + position)
        node.advance(node.chain.at(node.chain.block), position)
        for left in range(turn, 0, -1):
            assert here.chain.next_round(here.task) == 1, left
            here.devnet.mine()
            node.advance(node.chain.at(node.chain.block), position)
        assert here.chain.next_round(here.task) == 2


def test_what_somebody_else_did_meanwhile_is_not_done_again(here: World) -> None:
    with here.node("trainer") as node:
        position = node.join(secret_tip=bytes(32))
        node.advance(node.chain.at(node.chain.block), position)
        here.open(1)
        here.devnet.mine(20)
        before = node.chain.block.number
        node.advance(node.chain.at(node.chain.block), position)
        assert node.chain.block.number == before
        assert here.chain.round(here.task, 1).phase is Phase.OPEN


def test_task_is_finished_by_turn_only_after_time_to_report(
    devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna], tmp_path: Path
) -> None:
    with world(devnet, deployment, client, tmp_path, rounds=1) as here:
        committed_by(here, 0)
        here.attest(1, 1)
        here.skip_all(1)
        here.settle(1)
        with here.node("verifier 0", Role.VERIFIER) as node:
            for _ in range(REPORT_BLOCKS):
                node.advance(node.chain.at(node.chain.block), 1)
                assert here.chain.state_of(here.task) is TaskState.RUNNING
                here.devnet.mine()
            node.advance(node.chain.at(node.chain.block), 1)
            assert here.chain.state_of(here.task) is TaskState.FINISHED
    assert REPORT_BLOCKS < STALL_BLOCKS


def test_what_is_kept_for_a_round_is_let_go_when_it_is_settled(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kizuna.node.agent.KEEP_S", -1.0)
    with here.node("keeper") as node:
        first, second, loose = (unixfs.add_bytes(node.blocks, bytes([i]) * 9) for i in range(3))
        node.keep(1, first)
        node.keep(2, second)
        node.tidy(1)
        assert not node.blocks.has(first)
        assert not node.blocks.has(loose)
        assert node.blocks.has(second)
    with here.node("keeper") as node:  # what the task is made of is still here, without a mirror
        assert node.context.genesis == context().genesis


def test_contexts_numerics_are_checked_by_running_them() -> None:
    context().check_numerics()
    foreign = replace(context().params, numerics_id=Digest(bytes(32)))
    with pytest.raises(NumericsMismatch, match="this machine computes"):
        TaskContext(1, foreign, context().spec, context().genesis).check_numerics()


def test_unknown_environment_is_refused_by_name() -> None:
    spec = context().spec
    strange = spec.model_copy(update={"environment": spec.environment.model_copy(update={"name": "alchemy"})})
    with pytest.raises(TaskInvalid, match="alchemy is not known; there are: "):
        _ = TaskContext(1, context().params, strange, context().genesis).environment


def test_file_digests_are_those_of_the_store() -> None:
    small, large = b"small", bytes(unixfs.CHUNK_BYTES + 1)
    assert file_digest(small) == Cid.of(small, RAW).digest
    assert file_digest(large) == unixfs.cid_of_bytes(large).digest


def test_log_stays_one_line_whatever_a_stranger_has_put_into_the_text(
    here: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with here.node("reader") as node:
        capsys.readouterr()
        node.say("mirror http://x: \x1b[2J\r\n00:00:00 round 9: committed\u202e" + "x" * 10**6, round=3)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isprintable() and len(line) < 3000 and "round 3: mirror" in line
