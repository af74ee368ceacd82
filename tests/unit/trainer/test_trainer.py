"""A trainer against the real contracts and a real mirror; the verifiers' part is played by the test."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from support.training import World, world

from kizuna.chain import Deployment, Devnet, Kizuna
from kizuna.chain.structs import TaskState
from kizuna.errors import ContentMissing, StoreError
from kizuna.node.contribution import Manifest
from kizuna.node.task_context import file_digest
from kizuna.rl.environment import ENVIRONMENTS, REWARD_ONE, Reverse
from kizuna.rl.model import read_weights
from kizuna.rl.state import Boundary
from kizuna.store import DAG_CBOR, DAG_PB, Cid, Fetcher, Limits, MemoryBlocks, dag, unixfs
from kizuna.toploc.receipts import read_leaves
from kizuna.types import Phase, Role
from trainer.agent import Trainer, drawn_boundaries
from trainer.cheats import CHEATS


class Moody(Reverse):
    """An environment with a signal in every step, except while it is content with everything."""

    content = False

    def reward(self, seed: bytes, answer: str) -> int:
        return REWARD_ONE if self.content else int.from_bytes(sha256(answer.encode()).digest()[:2], "big")


@pytest.fixture(autouse=True)
def moody(monkeypatch: pytest.MonkeyPatch) -> Moody:
    """What the task's environment is replaced by: an untrained model may go through a round without one reward."""
    environment = Moody()
    monkeypatch.setitem(ENVIRONMENTS, "reverse", environment)
    return environment


@pytest.fixture
def here(devnet: Devnet, deployment: Deployment, client: Callable[[str], Kizuna], tmp_path: Path) -> Iterator[World]:
    with world(devnet, deployment, client, tmp_path) as published:
        yield published


@contextmanager
def trainer(here: World, name: str = "trainer", cheat: str = "none") -> Iterator[Trainer]:
    """A running trainer, as after a fresh start on its state."""
    with here.node(name) as node:
        agent = Trainer(node, CHEATS[cheat])
        try:
            yield agent
        finally:
            agent.close()


def step(agent: Trainer) -> bool:
    chain = agent.node.chain
    return agent.step(chain.at(chain.block))


def committed(here: World, round: int = 1) -> Manifest:
    """What the trainer committed, as the mirror holds it."""
    roots = here.chain.at(here.chain.block).commitments(here.task, round)[0]
    block = here.held.get(Cid(roots[0], DAG_CBOR))
    assert block is not None
    return Manifest.decode(block)


def is_held(here: World, digest: bytes) -> bool:
    return all(block is not None for _, block in dag.walk(here.held, Cid(digest, DAG_PB)))


def until_soft(here: World, round: int = 1) -> None:
    here.attest(round, 1)
    here.pass_all(round)
    assert here.chain.round(here.task, round).phase is Phase.CHALLENGE


def test_trainer_stakes_and_joins_once(here: World) -> None:
    with trainer(here) as agent:
        step(agent)
        assert here.chain.slot_count(here.task, Role.TRAINER) == 1
        assert here.chain.stake_of(here.task, Role.TRAINER, 0) == here.params.money.trainer_stake
    with trainer(here) as again:
        step(again)
        assert again.position == 0
        assert here.chain.slot_count(here.task, Role.TRAINER) == 1
        url = again.gateway.url
    assert here.chain.at(here.chain.block).endpoints(here.task)[Role.TRAINER, 0] == url


def test_round_is_trained_pushed_committed_and_paid(here: World) -> None:
    with trainer(here) as agent:
        step(agent)
        here.open(1)
        step(agent)
        manifest = committed(here)
        assert is_held(here, manifest.boundaries[-1])
        assert not is_held(here, manifest.boundaries[0])
        until_soft(here)
        step(agent)
        chain = agent.node.chain.at(agent.node.chain.block)
        drawn = drawn_boundaries(chain, here.task, 1, 0, chain.round(here.task, 1), agent.node)
        assert drawn
        assert all(is_held(here, manifest.boundaries[j]) for j in drawn)
        here.settle(1)
        step(agent)
        earned = here.chain.free_of(here.params.token, agent.node.account.address)
        assert 0 <= earned - here.params.money.price <= 2 * here.params.money.tip


def test_killed_trainer_still_serves_and_pushes_what_was_drawn(here: World) -> None:
    with trainer(here) as agent:
        step(agent)
        here.open(1)
        step(agent)
    until_soft(here)
    with trainer(here) as again:
        step(again)
        step(again)
        chain = here.chain.at(here.chain.block)
        drawn = drawn_boundaries(chain, here.task, 1, 0, chain.round(here.task, 1), again.node)
        assert all(is_held(here, committed(here).boundaries[j]) for j in drawn)


def test_round_stopped_after_a_segment_commits_the_same_when_restarted(here: World, tmp_path: Path) -> None:
    with trainer(here) as agent:
        step(agent)
        here.open(1)
        agent.node.stop.set()
        step(agent)
        assert here.chain.round(here.task, 1).committed == 0
        assert [path.name for path in (tmp_path / "trainer" / "drafts" / str(here.task)).glob("*/*")] == ["0"]
    with trainer(here) as again:
        step(again)
        position, chain = again.position, again.node.chain
        assert position is not None
        seed = chain.seed(here.task, 1)
        assert seed is not None
        config, resumed = again._prepare(chain.at(chain.block), 1, position, seed)
        assert len(resumed.records) == 1
        again.drafts.forget_before(2)
        _, fresh = again._prepare(chain.at(chain.block), 1, position, seed)
        assert not fresh.records
        assert [r.files() for r in resumed.records[:1]] + [r.files() for r in resumed] == [r.files() for r in fresh]
        assert config.segments == 2


def test_nothing_is_committed_that_no_mirror_holds(here: World, capsys: pytest.CaptureFixture[str]) -> None:
    with trainer(here) as agent:
        step(agent)
        here.open(1)
        here.mirror.close()
        with pytest.raises(StoreError, match="no mirror"):
            step(agent)
        assert here.chain.round(here.task, 1).committed == 0
    assert "cannot be asked" in capsys.readouterr().out


def test_round_whose_deadline_is_too_near_is_given_up(here: World, capsys: pytest.CaptureFixture[str]) -> None:
    with trainer(here) as agent:
        step(agent)
        here.open(1)
        here.devnet.mine_to(here.chain.round(here.task, 1).phase_end - 1)
        step(agent)
        assert here.chain.round(here.task, 1).committed == 0
        step(agent)
    assert capsys.readouterr().out.count("too slow") == 1


def test_second_round_starts_from_the_version_the_first_one_made(here: World) -> None:
    with trainer(here) as agent:
        step(agent)
        for round in (1, 2):
            here.open(round)
            step(agent)
            if round == 1:
                until_soft(here)
        chain = here.chain.at(here.chain.block)
        version = agent.node.versions.base_of(chain, 2)
        assert version.digest != here.params.genesis
        assert committed(here, 2).base == version.digest
        assert version.accepted == 1


def test_task_is_finished_and_left_with_the_stake(here: World) -> None:
    with trainer(here) as agent:
        step(agent)
        for round in (1, 2):
            here.open(round)
            step(agent)
            until_soft(here, round)
            here.settle(round)
            step(agent)
        here.devnet.mine(60)
        assert not step(agent)
        assert here.chain.state_of(here.task) is TaskState.FINISHED
        assert step(agent)
        money, owner = here.params.money, agent.node.account.address
        assert here.chain.free_of(here.params.token, owner) >= money.trainer_stake + 2 * money.price


def test_withholder_commits_but_serves_no_boundary_but_the_last(here: World) -> None:
    with trainer(here, cheat="withhold") as agent:
        step(agent)
        here.open(1)
        step(agent)
        until_soft(here)
        step(agent)
        *hidden, last = committed(here).boundaries
        assert is_held(here, last)
        fetcher = Fetcher(MemoryBlocks(), [agent.gateway.url, here.mirror.url], Limits(max_bytes=1 << 30))
        for digest in hidden:
            with pytest.raises(ContentMissing):
                fetcher.fetch_dag(Cid(digest, DAG_PB))
        here.settle(1)
        assert not step(agent)


def test_stale_trainer_claims_the_head_but_starts_from_the_genesis(here: World) -> None:
    with trainer(here, cheat="stale-base") as agent:
        step(agent)
        for round in (1, 2):
            here.open(round)
            step(agent)
            if round == 1:
                until_soft(here)
        manifest = committed(here, 2)
        head = agent.node.versions.base_of(here.chain.at(here.chain.block), 2)
        assert manifest.base == head.digest != here.params.genesis
        (leaf, *_) = read_leaves(unixfs.read(here.held, manifest.leaves, max_bytes=1 << 20), 3)
        stale = Boundary.start(read_weights(agent.node.context.genesis)).files()
        assert leaf.weights == file_digest(stale["weights.safetensors"])


def test_port_is_kept_over_a_restart_so_that_the_announced_url_stays_true(here: World) -> None:
    with trainer(here) as agent:
        step(agent)
        url = agent.url
    before = here.chain.block.number
    with trainer(here) as again:
        step(again)
        assert again.url == url
    assert here.chain.block.number == before


def test_port_that_somebody_else_took_is_replaced_and_announced(here: World) -> None:
    with trainer(here) as agent:
        step(agent)
        port = agent.gateway.port
    with socket.create_server(("127.0.0.1", port)), trainer(here) as again:
        step(again)
        assert again.gateway.port != port
        assert here.chain.at(here.chain.block).endpoints(here.task)[Role.TRAINER, 0] == again.url


def test_public_url_is_what_others_are_told(here: World) -> None:
    with here.node("trainer") as node:
        node.options = replace(node.options, public_url="https://trainer.example")
        agent = Trainer(node, CHEATS["none"])
        step(agent)
        agent.close()
    assert here.chain.at(here.chain.block).endpoints(here.task)[Role.TRAINER, 0] == "https://trainer.example"


def test_rounds_without_a_signal_close_and_pay_and_all_peers_stay_at_the_same_version(
    devnet: Devnet,
    deployment: Deployment,
    client: Callable[[str], Kizuna],
    tmp_path: Path,
    moody: Moody,
) -> None:
    """Three rounds of equal rewards, then a normal one (thinking-machines-lab/tinker-cookbook#507)."""
    with (
        world(devnet, deployment, client, tmp_path, trainer_slots=2, rounds=4) as here,
        trainer(here, "first") as first,
        trainer(here, "second") as second,
    ):
        peers = (first, second)
        for agent in peers:
            step(agent)
        for round in (1, 2, 3, 4):
            moody.content = round < 4
            here.open(round)
            for agent in peers:
                step(agent)
            here.attest(round, 0b11)
            here.pass_all(round)
            assert here.chain.round(here.task, round).accepted == 0b11
            here.settle(round)
            for agent in peers:
                step(agent)
            chain = here.chain.at(here.chain.block)
            assert chain.settled_through(here.task) == round
            if round < 4:
                bases = [agent.node.versions.base_of(chain, round + 1) for agent in peers]
                assert bases[0].digest == bases[1].digest
                assert bases[0].files["model.safetensors"] == agent.node.context.genesis["model.safetensors"]
        for agent in peers:
            earned = here.chain.free_of(here.params.token, agent.node.account.address)
            assert earned >= 4 * here.params.money.price  # work is paid by the quota, whatever it taught
        leaves = read_leaves(unixfs.read(here.held, committed(here, 4).leaves, max_bytes=1 << 20), 3)
        assert leaves[-1].norm > 0.0


def test_trainer_that_was_away_collects_all_rounds_a_few_at_a_time(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kizuna.node.agent.CLAIM_ROUNDS", 1)
    with trainer(here) as agent:
        step(agent)
        for round in (1, 2):
            here.open(round)
            step(agent)
            until_soft(here, round)
    for round in (1, 2):
        here.settle(round)
    with trainer(here) as again:
        owner, before = again.node.account.address, here.chain.block.number
        step(again)
        step(again)
        assert here.chain.free_of(here.params.token, owner) >= 2 * here.params.money.price
        assert here.chain.block.number >= before + 2
        step(again)
        assert not again.node.chain.claimable(here.task, Role.TRAINER, 0, [1, 2])
