"""The whole protocol with every part a process of its own: anvil, mirror, trainers, verifiers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import pytest
import yaml

from kizuna.chain import Kizuna
from kizuna.chain.events import Event
from kizuna.task import TaskSpec, load
from kizuna.types import Check, Role
from scripts import audit
from scripts.local import Agent, LocalNet
from scripts.observer import Observer

TINY = load(Path(__file__).parent / "tiny.yaml")
LIMIT_S = 280


@dataclass
class Outcome:
    """A task that ran to its end."""

    chain: Kizuna
    task: int
    spec: TaskSpec
    events: list[Event]
    rows: dict[str, audit.Account]
    observer: Observer

    @property
    def verdicts(self) -> dict[str, set[Check]]:
        """What each slot was convicted of."""
        names = {(row.role, row.position): name for name, row in self.rows.items()}
        found: dict[str, set[Check]] = {}
        for ruled in audit.convictions(self.events, self.task):
            found.setdefault(names[ruled.role, ruled.accused], set()).add(ruled.check)
        return found


def run(
    folder: Path,
    spec: TaskSpec,
    cheats: list[str],
    then: Callable[[Outcome], None],
    meanwhile: Callable[[LocalNet, Kizuna, int], None] = lambda net, chain, task: None,
) -> None:
    """Runs a task with one trainer a cheat (none: an honest one) until every round is settled, then `then`."""
    spec = TaskSpec.model_validate({**spec.model_dump(), "seats": {**spec.seats.model_dump(), "trainers": len(cheats)}})
    with LocalNet(folder, block_time_s=0.5) as net:
        task_file = folder / "task.yaml"
        record = {k: v for k, v in spec.record().items() if k not in ("v", "kind")}
        task_file.write_text(yaml.safe_dump(record))
        task = net.publish(spec, task_file, lambda line: None)
        agents = start(net, spec, task, cheats)
        chain = net.client()
        end = monotonic() + LIMIT_S
        while chain.settled_through(task) < spec.rounds:
            net.check()
            meanwhile(net, chain, task)
            assert monotonic() < end, f"round {chain.next_round(task) - 1} is stuck"
            sleep(0.2)
        then(outcome(net, chain, task, spec, agents))
        chain.close()


def start(net: LocalNet, spec: TaskSpec, task: int, cheats: list[str]) -> dict[str, Agent]:
    price = spec.money.wei("price")
    agents = {}
    for i, cheat in enumerate(cheats):
        name = f"trainer-{i}" if cheat == "none" else cheat
        agents[name] = net.start(name, Role.TRAINER, task=task, tokens_wei=10 * price, flags=("--cheat", cheat))
    for i in range(spec.seats.verifiers):
        name = f"verifier-{i}"
        agents[name] = net.start(name, Role.VERIFIER, task=task, tokens_wei=40 * price)
    return agents


def outcome(net: LocalNet, chain: Kizuna, task: int, spec: TaskSpec, agents: dict[str, Agent]) -> Outcome:
    events = chain.event_log().poll()
    price = spec.money.wei("price")
    start_wei = {
        str(agent.account.address): (10 if agent.role is Role.TRAINER else 40) * price for agent in agents.values()
    }
    names = {str(agent.account.address): name for name, agent in agents.items()}
    token = chain.params(task).token
    assert audit.books(chain, events, token).balance
    rows = {names[row.owner]: row for row in audit.accounts(chain, events, task, token, start_wei)}
    return Outcome(chain, task, spec, events, rows, Observer(chain, task, (net.mirror,)))


@pytest.mark.timeout(400)
def test_each_cheat_is_slashed_for_its_own_reason_and_nobody_else(tmp_path: Path) -> None:
    def check(found: Outcome) -> None:
        assert found.verdicts["fabricate"] <= {Check.SEGMENT}
        assert found.verdicts["stale-base"] == {Check.UPDATE}
        assert found.verdicts["cherry-pick"] == {Check.ROLLOUT}
        assert found.verdicts["withhold"] == {Check.AVAILABLE}
        slashed = {name for name, row in found.rows.items() if row.slashed}
        assert slashed == {"fabricate", "stale-base", "cherry-pick", "withhold"}

    run(tmp_path, TINY, ["none", "fabricate", "stale-base", "cherry-pick", "withhold", "none"], check)


@pytest.mark.timeout(400)
def test_without_a_cheat_nobody_is_slashed_and_killed_agents_go_on(tmp_path: Path) -> None:
    killed: set[str] = set()

    def kill_one_of_each(net: LocalNet, chain: Kizuna, task: int) -> None:
        """SIGKILL in the middle of round 1, then a restart on the same state."""
        if chain.next_round(task) - 1 < 1:
            return
        for agent in net.agents:
            if agent.name in {"trainer-0", "verifier-0"} - killed and agent.process is not None:
                agent.process.kill()
                agent.process.wait()
                net.restart(agent, task)
                killed.add(agent.name)

    def check(found: Outcome) -> None:
        assert killed == {"trainer-0", "verifier-0"}
        assert found.verdicts == {}
        assert not any(row.slashed for row in found.rows.values())
        assert all(found.chain.round(found.task, 1).committed >> p & 1 for p in (0, 1))
        for made in (1,):
            assert found.chain.round(found.task, made).version == found.observer.version(made).digest

    run(tmp_path, TINY, ["none", "none"], check, kill_one_of_each)
