"""A seat on a jury: what it waits for, what it hides, that it opens just that, and what it leaves to others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.seats import NAMES, Seats, seated
from support.training import World

from kizuna.chain.structs import DocketView
from kizuna.errors import ContentMissing, StoreError, StoreFull
from kizuna.node.contribution import Manifest
from kizuna.store import DAG_PB, Cid, dag
from kizuna.types import Check, DocketPhase, Ruling
from verifier import bench as benches
from verifier.bench import MARGIN, RETRY_BLOCKS, Bench
from verifier.duties import Duty, Kind
from verifier.jury import Opinion, Rulings

EVERYBODY = {"committee": 4, "min_verifier_seats": 4}
pytestmark = pytest.mark.parametrize("here", [EVERYBODY], indirect=True)


@dataclass(frozen=True, slots=True)
class Court:
    """A round in which all four seats have challenged that boundary 1 is not served, and nobody has judged yet."""

    here: World
    seats: Seats
    hidden: list[tuple[Cid, bytes]]

    @property
    def docket(self) -> DocketView:
        return self.here.chain.docket(self.here.task, 1, 1)

    @property
    def firsts(self) -> list[str]:
        """Who challenged each disputed item first: one dispute for each segment that somebody drew."""
        by_position = {self.seats.position(name): name for name in NAMES}
        disputes = self.here.chain.disputes(self.here.task, 1, 1)
        assert {dispute.check for dispute in disputes} == {Check.AVAILABLE}
        return [by_position[dispute.first_challenger] for dispute in disputes]

    @property
    def impartial(self) -> list[str]:
        """Who may judge every dispute."""
        return [name for name in NAMES if name not in self.firsts]

    def commit(self, name: str, bench: Bench) -> None:
        """One look at the docket, at the newest block."""
        duty = Duty(Kind.JCOMMIT, 1, self.docket.phase_end, docket=1)
        node = self.seats.nodes[name]
        bench.commit(node.chain.at(node.chain.block), duty, self.seats.position(name))

    def bring_back(self) -> None:
        for cid, block in self.hidden:
            self.here.held.put(cid, block)


@pytest.fixture
def court(here: World, distinct: None) -> Iterator[Court]:
    with ExitStack() as stack:
        seats, manifest = seated(here, stack)
        block = here.held.get(manifest)
        assert block is not None
        root = Cid(Manifest.decode(block).boundaries[1], DAG_PB)
        hidden = [(cid, data) for cid, data in dag.walk(here.held, root) if data is not None]
        for cid, _ in hidden:
            here.held.delete(cid)
        made = Court(here, seats, hidden)
        seats.until(lambda: made.docket.phase is DocketPhase.JCOMMIT)
        assert not made.docket.committed
        yield made


def rulings(bench: Bench) -> set[Ruling] | None:
    """What a juror has made of the docket, None as long as it has not said."""
    opinions = bench.rulings.load(1, 1)
    return None if opinions is None else {opinion.ruling for opinion in opinions}


def test_a_juror_waits_for_what_may_still_come_and_opens_what_it_hid_after_a_restart(court: Court) -> None:
    name = court.impartial[0]
    bench = court.seats.agents[name].bench
    court.commit(name, bench)
    assert rulings(bench) is None and not court.docket.committed
    court.bring_back()
    court.commit(name, bench)  # too soon for another look
    assert rulings(bench) is None
    court.here.devnet.mine(RETRY_BLOCKS)
    court.commit(name, bench)
    assert rulings(bench) == {Ruling.CLEAN}
    assert court.docket.committed == 1 << court.seats.position(name)
    court.seats.restart(name)
    end = court.docket.phase_end
    court.here.devnet.mine_to(end)
    revealing = Duty(Kind.JREVEAL, 1, end + court.here.params.windows.jreveal, docket=1)
    court.seats.agents[name].bench.reveal(revealing)
    assert court.docket.revealed == court.docket.committed


def test_when_time_is_short_what_is_not_served_is_guilty_and_without_a_mirror_nobodys_fault(court: Court) -> None:
    first, second = (court.seats.agents[name].bench for name in court.impartial[:2])
    court.commit(court.impartial[0], first)
    court.commit(court.impartial[1], second)
    court.here.devnet.mine_to(court.docket.phase_end - MARGIN - 1)
    court.commit(court.impartial[0], first)
    court.here.mirror.close()
    court.commit(court.impartial[1], second)
    assert rulings(first) == {Ruling.GUILTY_GROSS}
    assert rulings(second) == {Ruling.INDETERMINATE}


def test_nobody_judges_a_challenge_that_it_was_the_first_to_raise(court: Court) -> None:
    name = court.firsts[0]
    bench = court.seats.agents[name].bench
    court.bring_back()
    court.commit(name, bench)
    opinions = bench.rulings.load(1, 1)
    assert opinions is not None
    assert [o.ruling is Ruling.NONE for o in opinions] == [first == name for first in court.firsts]


def test_jurors_that_do_not_or_cannot_judge_call_it_clean_or_say_nothing(
    court: Court, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lazy, dazed = court.impartial[:2]
    idle = Bench(court.seats.nodes[lazy], court.seats.agents[lazy].cases, Rulings(tmp_path / "lazy"), is_lazy=True)
    court.commit(lazy, idle)
    assert rulings(idle) == {Ruling.CLEAN}
    bench = court.seats.agents[dazed].bench
    monkeypatch.setattr(benches, "judge", lambda dispute, case: 1 // 0)
    court.commit(dazed, bench)
    assert rulings(bench) == {Ruling.NONE}
    assert "AVAILABLE cannot be judged: ZeroDivisionError" in capsys.readouterr().out


def test_a_full_disk_is_no_opinion_and_a_base_that_is_not_there_may_come(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = court.impartial[0]
    bench = court.seats.agents[name].bench
    court.bring_back()

    def fail(error: StoreError) -> None:
        def judge(dispute: object, case: object) -> Opinion:
            raise error

        monkeypatch.setattr(benches, "judge", judge)

    fail(StoreFull("no bytes left"))
    with pytest.raises(StoreFull):
        court.commit(name, bench)
    fail(ContentMissing("the base"))
    court.commit(name, bench)
    assert rulings(bench) is None and not court.docket.committed
    monkeypatch.undo()
    court.here.devnet.mine(RETRY_BLOCKS)
    court.commit(name, bench)
    assert rulings(bench) == {Ruling.CLEAN}


def test_rulings_that_are_lost_cannot_be_opened(court: Court, tmp_path: Path) -> None:
    name = NAMES[0]
    bench = Bench(court.seats.nodes[name], court.seats.agents[name].cases, Rulings(tmp_path / "empty"))
    with pytest.raises(StoreError, match="the rulings on docket 1 of round 1 are not on this disk"):
        bench.reveal(Duty(Kind.JREVEAL, 1, court.docket.phase_end, docket=1))
