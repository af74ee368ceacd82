"""Whole verifiers against the real contracts, a mirror and an honest contribution, stepped block by block."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest
from support.training import World, committed_by

from kizuna.chain import Kizuna, positions
from kizuna.chain.structs import RoundView
from kizuna.errors import ConfigError
from kizuna.node.agent import Node
from kizuna.node.contribution import Manifest
from kizuna.store import DAG_CBOR, DAG_PB, Cid, dag
from kizuna.types import Check, DocketPhase, Phase, Role, Ruling
from verifier.agent import Verifier
from verifier.joining import secrets_of

Make = Callable[[str], Kizuna]
NAMES = ("ada", "bob", "cyd", "dee")


class Seats:
    """Running verifiers, stepped in turn at the newest block."""

    def __init__(self, here: World, stack: ExitStack, *, lazy: str = "") -> None:
        self.here, self.stack, self.lazy = here, stack, lazy
        self.nodes: dict[str, Node] = {}
        self.agents: dict[str, Verifier] = {}
        for name in NAMES:
            self.start(name)

    def start(self, name: str) -> None:
        self.nodes[name] = self.stack.enter_context(self.here.node(name, Role.VERIFIER))
        self.agents[name] = Verifier(self.nodes[name], is_lazy=name == self.lazy)

    def restart(self, name: str) -> None:
        """A new process on the state that the old one left."""
        self.nodes[name].__exit__(None, None, None)
        self.start(name)

    def step(self) -> None:
        for name in NAMES:
            node = self.nodes[name]
            self.agents[name].step(node.chain.at(node.chain.block))

    def until(self, done: Callable[[], bool], blocks: int = 150) -> None:
        for _ in range(blocks):
            if done():
                return
            self.step()
            self.here.devnet.mine(1)
        raise AssertionError(f"not reached: {self.view()}")

    def until_phase(self, phase: Phase) -> None:
        self.until(lambda: self.view().phase >= phase)

    def view(self) -> RoundView:
        return self.here.chain.round(self.here.task, 1)

    def position(self, name: str) -> int:
        position = self.agents[name].position
        assert position is not None
        return position


def seated(here: World, stack: ExitStack, *, lazy: str = "") -> tuple[Seats, Cid]:
    """Four verifiers in their seats and one honest contribution, committed and mirrored."""
    seats = Seats(here, stack, lazy=lazy)
    seats.step()
    (digest,) = committed_by(here, 0)
    return seats, Cid(digest, DAG_CBOR)


def test_an_honest_round_is_accepted_paid_and_reported_and_the_lazy_verifier_loses_its_stake(here: World) -> None:
    with ExitStack() as stack:
        seats, _ = seated(here, stack, lazy="dee")
        seats.until_phase(Phase.CHALLENGE)
        view = seats.view()
        assert view.held == view.accepted == 1 and not view.challenged
        seats.until_phase(Phase.FINAL)
        assert seats.view().paid == 1
        seats.until(lambda: any(seats.view().version))
        made = seats.nodes["ada"].versions.base_of(here.chain.at(here.chain.block), 2)
        assert seats.view().version == made.digest
        convicted = positions(here.chain.convicted(here.task, Role.VERIFIER))
        drawn = positions(view.checkers)
        assert set(convicted) == {seats.position("dee")} & set(drawn)
        assert not here.chain.convicted(here.task, Role.TRAINER)


def test_a_verifier_killed_between_vote_and_reveal_opens_the_ballot_it_voted_for(here: World) -> None:
    with ExitStack() as stack:
        seats, _ = seated(here, stack)
        seats.until(lambda: bool(seats.view().voted))
        first = positions(seats.view().voted)[0]
        name = next(name for name in NAMES if seats.position(name) == first)
        seats.restart(name)
        seats.until_phase(Phase.CHALLENGE)
        view = seats.view()
        assert view.revealed == view.voted and view.accepted == 1


def test_what_is_not_on_the_mirror_is_not_attested(here: World) -> None:
    with ExitStack() as stack:
        seats, manifest = seated(here, stack)
        for cid, _ in list(dag.walk(here.held, manifest)):
            here.held.delete(cid)
        seats.until_phase(Phase.VOID)
        assert seats.view().held == 0


def test_a_drawn_boundary_that_nobody_serves_costs_the_trainer_its_stake(here: World, distinct: None) -> None:
    with ExitStack() as stack:
        seats, manifest = seated(here, stack)
        block = here.held.get(manifest)
        assert block is not None
        inner = Manifest.decode(block).boundaries[1]
        for cid, _ in list(dag.walk(here.held, Cid(inner, DAG_PB))):
            here.held.delete(cid)
        seats.until(lambda: here.chain.docket(here.task, 1, 1).phase is DocketPhase.CLOSED, blocks=250)
        assert seats.view().challenged == 1
        ruled = {(dispute.check, dispute.ruling) for dispute in here.chain.disputes(here.task, 1, 1)}
        assert ruled == {(Check.AVAILABLE, Ruling.GUILTY_GROSS)}
        assert here.chain.convicted(here.task, Role.TRAINER) == 1


def test_secrets_are_found_again_although_a_round_opened_while_the_seat_was_taken(here: World) -> None:
    with ExitStack() as stack:
        seats, _ = seated(here, stack)
        node = seats.nodes["ada"]
        slot = node.chain.slot(here.task, Role.VERIFIER, seats.position("ada"))
        late = replace(slot, active_from=slot.active_from + 1)
        assert secrets_of(node, late).tip == slot.secret
        with pytest.raises(ConfigError, match="do not come from this key"):
            secrets_of(node, replace(slot, secret=here.params.spec))


def test_an_address_that_is_none_keeps_nobody_from_checking(here: World) -> None:
    with ExitStack() as stack:
        seats, _ = seated(here, stack)
        trainer = stack.enter_context(here.node("slot 0"))
        trainer.chain.announce(here.task, "gopher://\x07 not an address")
        seats.until_phase(Phase.CHALLENGE)
        assert seats.view().accepted == 1
