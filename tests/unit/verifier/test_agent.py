"""Whole verifiers against the real contracts, a mirror and an honest contribution, stepped block by block."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest
from support.seats import NAMES, Seats, seated
from support.tasks import PRICE, money
from support.training import World, committed_by

from kizuna.chain import Kizuna, positions, rules
from kizuna.errors import ConfigError
from kizuna.node.contribution import Manifest
from kizuna.store import DAG_PB, Cid, dag
from kizuna.types import Check, DocketPhase, Mark, Phase, Role, Ruling
from verifier.joining import secrets_from, secrets_of

EVERYBODY = {"committee": 4, "min_verifier_seats": 4}
"""A task in which every seat checks, so that no test depends on a draw."""
everybody_checks = pytest.mark.parametrize("here", [EVERYBODY], indirect=True)


def test_an_honest_round_is_accepted_paid_and_reported(here: World) -> None:
    with ExitStack() as stack:
        seats, _ = seated(here, stack)
        seats.until_phase(Phase.CHALLENGE)
        view = seats.view()
        assert view.held == view.accepted == 1 and not view.challenged
        seats.until_phase(Phase.FINAL)
        assert seats.view().paid == 1
        seats.until(lambda: any(seats.view().version))
        made = seats.nodes["ada"].versions.base_of(here.chain.at(here.chain.block), 2)
        assert seats.view().version == made.digest
        assert not here.chain.convicted(here.task, Role.VERIFIER)
        assert not here.chain.convicted(here.task, Role.TRAINER)


@everybody_checks
def test_a_lazy_verifier_leaves_evidence_that_a_jury_finds_guilty(here: World) -> None:
    with ExitStack() as stack:
        seats, _ = seated(here, stack, lazy="dee")
        seats.until_phase(Phase.FINAL)
        lazy = seats.position("dee")
        ruled = {dispute.accused: (dispute.check, dispute.ruling) for dispute in here.chain.disputes(here.task, 1, 2)}
        assert ruled.pop(lazy) == (Check.EVIDENCE, Ruling.GUILTY_GROSS)
        assert ruled and set(ruled.values()) == {(Check.EVIDENCE, Ruling.CLEAN)}
        assert here.chain.convicted(here.task, Role.VERIFIER) == 1 << lazy
        slashed = here.params.money.verifier_slash
        assert here.chain.stake_of(here.task, Role.VERIFIER, lazy) <= here.params.money.verifier_stake - slashed
        assert seats.view().paid == 1


def test_a_verifier_killed_between_vote_and_reveal_opens_the_ballot_it_voted_for(here: World) -> None:
    with ExitStack() as stack:
        seats, _ = seated(here, stack)
        seats.until(lambda: bool(seats.view().voted))
        first = positions(seats.view().voted)[0]
        name = next(name for name in NAMES if seats.position(name) == first)
        voted = seats.agents[name].ballots.load(1)
        seats.restart(name)
        seats.until_phase(Phase.CHALLENGE)
        view = seats.view()
        assert view.revealed == view.voted and view.accepted == 1
        assert voted is not None and here.chain.ballots(here.task, 1)[first] == voted[0]


@everybody_checks
def test_a_verifier_killed_before_its_vote_is_sent_votes_for_what_it_had_written_down(
    here: World, distinct: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        seats, manifest = seated(here, stack)

        def killed(*args: object, **kwargs: object) -> None:
            raise SystemExit

        monkeypatch.setattr(seats.nodes["ada"].chain, "vote", killed)
        with pytest.raises(SystemExit):
            seats.until_phase(Phase.REVEAL)
        written = seats.agents["ada"].ballots.load(1)
        assert written is not None
        for store in (here.held, seats.nodes["ada"].blocks):  # another look would find something else
            for boundary in boundaries(here, manifest)[1:]:
                for cid, _ in list(dag.walk(store, boundary)):
                    store.delete(cid)
        seats.restart("ada")
        seats.until_phase(Phase.CHALLENGE)
        assert here.chain.ballots(here.task, 1)[seats.position("ada")] == written[0]


@everybody_checks
def test_a_verifier_that_lost_its_ballot_says_so_and_does_the_rest_of_its_work(
    here: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        seats, _ = seated(here, stack)
        seats.until(lambda: seats.view().phase is Phase.REVEAL or seats.view().voted == 0b1111)
        (seats.agents["ada"].ballots._records.folder / "1.json").unlink()
        seats.restart("ada")
        seats.until_phase(Phase.FINAL)
        view, ada = seats.view(), seats.position("ada")
        assert view.revealed == view.voted & ~(1 << ada) and view.paid == 1
        assert capsys.readouterr().out.count("the ballot of this round is not on this disk") == 1
        assert here.chain.stake_of(here.task, Role.VERIFIER, ada) < here.params.money.verifier_stake


@everybody_checks
def test_nobody_marks_the_work_of_its_own_trainer(here: World) -> None:
    with ExitStack() as stack:
        seats = Seats(here, stack)
        ada = seats.nodes["ada"]
        # The trainer's owner is that of ada's seat, too: a cold key behind two hot ones.
        owner = Kizuna(here.devnet.rpc(), here.deployment, here.devnet.account("slot 0"))
        owner.faucet(20 * PRICE)
        owner.deposit(here.params.token, 20 * PRICE)
        tip = secrets_from(ada, 1).tip
        numerics = here.params.numerics_id
        owner.join(here.task, Role.VERIFIER, operator=ada.account.address, secret_tip=tip, numerics_id=numerics)
        owner.close()
        seats.step()
        committed_by(here, 0)
        seats.until_phase(Phase.CHALLENGE)
        ballots = here.chain.ballots(here.task, 1)
        assert rules.marked(ballots[seats.position("ada")].marks, Mark.PASS) == ()
        assert rules.marked(ballots[seats.position("bob")].marks, Mark.PASS) == (0,)
        assert seats.view().accepted == 1


@pytest.mark.parametrize("here", [EVERYBODY | {"money": money(challenge_bond=6 * PRICE)}], indirect=True)
def test_a_fault_that_cannot_be_bonded_is_left_to_others(
    here: World, distinct: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        seats, manifest = seated(here, stack)
        for boundary in boundaries(here, manifest)[1:-1]:
            for cid, _ in list(dag.walk(here.held, boundary)):
                here.held.delete(cid)
        poor = seats.nodes["ada"]
        token, account = here.params.token, poor.account.address
        poor.chain.withdraw(token, poor.chain.free_of(token, account))
        seats.until_phase(Phase.CHALLENGE)
        assert "no bond left to challenge slots [0]: deposit more" in capsys.readouterr().out
        assert here.chain.ballots(here.task, 1)[seats.position("ada")].marks == 0
        assert seats.view().challenged == 1


def test_what_reaches_the_mirror_late_is_attested_all_the_same(here: World) -> None:
    with ExitStack() as stack:
        seats, manifest = seated(here, stack)
        taken = [(cid, block) for cid, block in dag.walk(here.held, manifest) if block is not None]
        for cid, _ in taken:
            here.held.delete(cid)
        seats.until_phase(Phase.ATTEST)
        seats.step()
        assert not seats.view().attested
        for cid, block in taken:
            here.held.put(cid, block)
        seats.until_phase(Phase.SEAL)
        assert seats.view().held == 1


def test_what_is_not_on_the_mirror_is_not_attested(here: World) -> None:
    with ExitStack() as stack:
        seats, manifest = seated(here, stack)
        for cid, _ in list(dag.walk(here.held, manifest)):
            here.held.delete(cid)
        seats.until_phase(Phase.VOID)
        assert seats.view().held == 0


def boundaries(here: World, manifest: Cid) -> list[Cid]:
    """The boundaries of a contribution that the mirror holds."""
    block = here.held.get(manifest)
    assert block is not None
    return [Cid(digest, DAG_PB) for digest in Manifest.decode(block).boundaries]


def test_a_drawn_boundary_that_nobody_serves_costs_the_trainer_its_stake(here: World, distinct: None) -> None:
    with ExitStack() as stack:
        seats, manifest = seated(here, stack)
        for cid, _ in list(dag.walk(here.held, boundaries(here, manifest)[1])):
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
