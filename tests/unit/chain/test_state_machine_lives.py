"""Lives of a task on the real contracts, told step by step; the model agrees at every one.

Random games come by all of this, too, but not by every part of it every time.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.ground import AMOUNTS, SLOW, Ground, owners, purse
from support.mirror import Mirror
from support.people import STRANGER, operator_of, owner_of, version_of
from support.play import Play

from kizuna.chain import rules
from kizuna.types import DocketPhase, Phase, Role, Ruling

MONEY = AMOUNTS["usual"]
OWNER = owner_of(Role.TRAINER, 0)
FULL_BOND = MONEY.challenge_bond + 5 * MONEY.juror_fee
ALWAYS = 1 << 32


def lively(ground: Ground, **changes: object) -> tuple[Mirror, Play]:
    """Two trainers, five verifiers, committees of three, nobody audited."""
    usual = {"trainer_slots": 2, "verifier_seats": 5, "committee": 3, "audit_rate": 0}
    return ground.task(**usual | changes)


def to_vote(play: Play) -> None:
    play.open()
    play.commit_all()
    play.attest_all()
    play.seal()


def to_soft(play: Play, *words: str) -> None:
    """A round in which every checker says the same of the contributions."""
    to_vote(play)
    play.vote_all([*words, "pass", "pass", "pass"])
    play.reveal_all()
    play.mirror.compare()


def judged(play: Play, *pattern: Ruling, but: int = 9) -> None:
    """The juries of all open dockets rule alike."""
    play.jury_commits(pattern, but=but)
    play.jury_reveals()
    play.mirror.compare()


def settled(play: Play, number: int) -> Phase:
    """The round after the end of its challenges and of its dockets, where nobody waits for them."""
    play.end_challenges(number)
    if play.soft():
        docket = play.model.docket(number, 2)
        play.wait_for(docket.phase_end)
        play.mirror.call("poke", number, sender=STRANGER)
        play.wait_for(docket.phase_end)
        play.mirror.call("poke", number, sender=STRANGER)
    play.mirror.compare()
    return play.model.state.rounds[number - 1].phase


def free(mirror: Mirror, owner: str) -> int:
    return mirror.model.balance(rules.free_account(owner))


def stake(mirror: Mirror, role: Role, position: int) -> int:
    return mirror.model.balance(rules.stake_account(1, role, position))


def burned(mirror: Mirror) -> int:
    return mirror.model.balance(rules.BURNED)


def claim_all(mirror: Mirror, numbers: list[int]) -> None:
    for role, slots in mirror.model.state.slots.items():
        for position in range(len(slots)):
            mirror.call("claim", role, position, numbers, sender=STRANGER)
    mirror.compare()


def test_an_honest_task_ends_with_everybody_paid_and_nothing_left(ground: Ground) -> None:
    mirror, play = lively(ground, audit_rate=ALWAYS)
    for number in (1, 2, 3):
        to_soft(play)
        play.post_all(number)
        judge_audits(play, number, Ruling.CLEAN)
    mirror.call("report_head", version_of(3), sender=operator_of(Role.VERIFIER, 0))
    claim_all(mirror, [3, 1, 2, 1])
    mirror.call("finish", sender=STRANGER)
    for role, slots in mirror.model.state.slots.items():
        for position in range(len(slots)):
            mirror.call("withdraw_stake", role, position, sender=STRANGER)
    mirror.compare()
    assert mirror.model.state.rounds[1].version == version_of(2)
    assert free(mirror, OWNER) == purse(OWNER) + 3 * MONEY.price
    purses = {rules.free_account(owner) for owner in [*owners(), STRANGER]}
    assert not any(amount for account, amount in mirror.model.state.accounts.items() if account not in purses)


def judge_audits(play: Play, number: int, ruling: Ruling) -> None:
    play.end_challenges(number)
    judged(play, ruling)
    play.mirror.call("poke", number, sender=STRANGER)
    play.mirror.compare()


def test_a_cleared_trainer_is_paid_and_gets_a_part_of_the_lost_bonds(ground: Ground) -> None:
    mirror, play = lively(ground)
    to_soft(play, "update")
    checkers = [seat for seat in range(5) if play.round.checkers >> seat & 1]
    judged(play, Ruling.CLEAN)
    assert free(mirror, OWNER) == purse(OWNER) - MONEY.trainer_stake + 3 * MONEY.cleared
    assert all(slot.active_to == 2 for slot in (mirror.model.state.slots[Role.VERIFIER][c] for c in checkers))
    assert settled(play, 1) is Phase.FINAL
    assert play.round.accepted == 0b10 and play.round.paid == 0b11


def test_a_gross_fault_is_slashed_and_its_challengers_share_the_bounty(ground: Ground) -> None:
    mirror, play = lively(ground)
    to_soft(play, "several")
    judged(play, Ruling.GUILTY_GROSS)
    assert stake(mirror, Role.TRAINER, 0) == MONEY.trainer_stake - MONEY.trainer_slash
    assert burned(mirror) == MONEY.trainer_slash - MONEY.trainer_bounty_cap + MONEY.trainer_bounty_cap % 3
    fees = mirror.model.outcome(1).spent
    assert settled(play, 1) is Phase.FINAL and play.round.paid == 0b10
    assert burned(mirror) == MONEY.trainer_slash - MONEY.trainer_bounty_cap + 2 + MONEY.price - fees


def test_a_lone_mismatch_is_unpaid_and_the_third_one_slashes(ground: Ground) -> None:
    mirror, play = lively(ground)
    for number in (1, 2, 3):
        assert not mirror.model.convicted(Role.TRAINER)
        to_soft(play, "segment")
        judged(play, Ruling.GUILTY_LONE)
        assert settled(play, number) is Phase.FINAL and play.round.paid == 0b10
    assert mirror.model.convicted(Role.TRAINER) == 1
    assert stake(mirror, Role.TRAINER, 0) == MONEY.trainer_stake - MONEY.trainer_slash


def test_a_challenger_who_was_right_about_one_item_loses_no_bond_over_another(ground: Ground) -> None:
    mirror, play = lively(ground)
    to_soft(play, "several")
    judged(play, Ruling.GUILTY_GROSS, *[Ruling.CLEAN] * 3)
    assert mirror.model.outcome(1).cleared == 0
    assert all(slot.active_to > 2 for slot in mirror.model.state.slots[Role.VERIFIER])


def test_of_several_challengers_only_those_who_were_right_keep_their_bonds(ground: Ground) -> None:
    mirror, play = lively(ground)
    to_vote(play)
    right, *wrong = (seat for seat in range(5) if play.round.checkers >> seat & 1)
    play.vote(1, right, ["update", "pass"])
    for seat in wrong:
        play.vote(1, seat, ["encode", "pass"])
    play.reveal(1, right)
    play.reveal_all()
    judged(play, Ruling.GUILTY_GROSS, Ruling.CLEAN)
    lost = mirror.model.state.slots[Role.VERIFIER]
    assert [seat for seat in range(5) if lost[seat].active_to == 2] == wrong
    assert mirror.model.outcome(1).guilty[Role.TRAINER] == 1


@pytest.mark.parametrize(("ruling", "fee"), [(Ruling.INDETERMINATE, MONEY.juror_fee), (Ruling.NONE, 0)])
def test_where_a_jury_does_not_know_bonds_go_back_and_nobody_is_paid_or_slashed(
    ground: Ground, ruling: Ruling, fee: int
) -> None:
    mirror, play = lively(ground)
    before = [free(mirror, owner_of(Role.VERIFIER, i)) + stake(mirror, Role.VERIFIER, i) for i in range(5)]
    to_soft(play, "update")
    first = mirror.model.docket(1, 1).disputes[0].challengers[0]
    judged(play, ruling)
    after = [free(mirror, owner_of(Role.VERIFIER, i)) + stake(mirror, Role.VERIFIER, i) for i in range(5)]
    assert after == [had + (fee if i != first else 0) for i, had in enumerate(before)]
    assert settled(play, 1) is Phase.FINAL and play.round.paid == 0b10 and burned(mirror) == 0


def test_absent_jurors_are_fined_and_a_docket_without_any_is_hung(ground: Ground) -> None:
    mirror, play = lively(ground)
    to_soft(play, "available")
    jurors = mirror.model.docket(1, 1).jurors
    play.wait_for(mirror.model.docket(1, 1).phase_end)
    mirror.call("poke_court", 1, sender=STRANGER)
    mirror.compare()
    assert mirror.model.docket(1, 1).disputes[0].ruling is Ruling.HUNG
    assert burned(mirror) == jurors.bit_count() * MONEY.missed_duty


def test_audited_checkers_without_evidence_are_slashed_and_lose_the_rounds_fees(ground: Ground) -> None:
    mirror, play = lively(ground, audit_rate=ALWAYS)
    to_soft(play)
    silent = max(seat for seat in range(5) if play.round.revealed >> seat & 1)
    play.post_all(1, but=silent)
    judge_audits(play, 1, Ruling.CLEAN)
    assert mirror.model.convicted(Role.VERIFIER) == play.round.forfeited == 1 << silent
    assert stake(mirror, Role.VERIFIER, silent) == MONEY.verifier_stake - MONEY.verifier_slash
    claim_all(mirror, [1])
    assert mirror.model.balance(rules.pot_account(1, 1)) == 0


@pytest.mark.parametrize("ruling", [Ruling.GUILTY_GROSS, Ruling.GUILTY_LONE, Ruling.INDETERMINATE, Ruling.NONE])
def test_evidence_is_judged_and_only_guilt_is_slashed(ground: Ground, ruling: Ruling) -> None:
    mirror, play = lively(ground, audit_rate=ALWAYS)
    to_soft(play)
    play.post_all(1)
    judge_audits(play, 1, ruling)
    guilty = rules.guilty(ruling)
    assert mirror.model.convicted(Role.VERIFIER) == (play.round.revealed if guilty else 0)
    assert play.round.phase is Phase.FINAL and play.round.paid == 0b11


def test_who_has_less_than_a_slash_left_is_out_of_the_next_round(ground: Ground) -> None:
    exact = replace(MONEY, verifier_slash=MONEY.verifier_stake - MONEY.missed_duty)
    mirror, play = lively(ground, money=exact, verifier_seats=3)
    to_vote(play)
    for ready in (0b111, 0):  # a first fine leaves just enough
        play.wait_for(play.round.phase_end)
        mirror.call("poke", 1, sender=STRANGER)
        mirror.compare()
        assert mirror.model.ready(Role.VERIFIER) == ready


def test_without_a_quorum_all_seats_vote_once_more(ground: Ground) -> None:
    mirror, play = lively(ground)
    to_vote(play)
    first = play.round.checkers
    play.wait_for(play.round.phase_end)
    mirror.call("advance", 1, sender=STRANGER)
    assert play.round.attempt == 1 and play.round.checkers == 0b11111 and play.round.phase is Phase.VOTE
    assert burned(mirror) == first.bit_count() * MONEY.missed_duty
    play.vote_all(but=2)
    play.wait_for(play.round.phase_end)
    mirror.call("poke", 1, sender=STRANGER)
    play.reveal_all()
    assert play.round.accepted == 0b11 and settled(play, 1) is Phase.FINAL


def test_a_round_without_a_quorum_is_void_but_its_disputes_are_decided(ground: Ground) -> None:
    mirror, play = lively(ground)
    to_vote(play)
    challenger = min(seat for seat in range(5) if play.round.checkers >> seat & 1)
    play.vote(1, challenger, ["update", "pass"])
    play.wait_for(play.round.phase_end)
    play.reveal(1, challenger)
    assert play.round.phase is Phase.VOTE and play.round.attempt == 1
    play.wait_for(play.round.phase_end)
    mirror.call("poke", 1, sender=STRANGER)
    assert play.round.phase is Phase.CHALLENGE and play.round.accepted == 0
    judged(play, Ruling.CLEAN)
    assert settled(play, 1) is Phase.VOID and play.round.paid == 0b01


@pytest.mark.parametrize("stage", ["seed", "seal"])
def test_an_expired_beacon_voids_the_round(ground: Ground, stage: str) -> None:
    mirror, play = lively(ground)
    play.open()
    if stage == "seal":
        play.commit_all()
        play.attest_all()
    mirror.mine(300)
    mirror.call("advance", 1, sender=STRANGER)
    mirror.compare()
    assert play.round.phase is Phase.VOID


def test_where_the_audit_beacon_expires_nobody_is_audited(ground: Ground) -> None:
    mirror, play = lively(ground, audit_rate=ALWAYS)
    to_soft(play)
    mirror.mine(300)
    mirror.call("advance", 1, sender=STRANGER)
    mirror.compare()
    assert play.round.phase is Phase.FINAL and not mirror.model.convicted(Role.VERIFIER)


def test_a_bond_may_come_out_of_the_stake_above_a_slash(ground: Ground) -> None:
    mirror, play = lively(ground, committee=1)
    to_vote(play)
    checker = play.round.checkers.bit_length() - 1
    owner = owner_of(Role.VERIFIER, checker)
    mirror.call("withdraw", free(mirror, owner) - MONEY.price, sender=owner)
    play.vote_all(["update", "pass"])
    play.reveal_all()
    mirror.compare()
    assert free(mirror, owner) == 0
    assert stake(mirror, Role.VERIFIER, checker) == MONEY.verifier_stake + MONEY.price - FULL_BOND


def test_who_cannot_cover_its_bonds_cannot_reveal(ground: Ground) -> None:
    mirror, play = lively(ground, committee=1, trainer_slots=3)
    to_vote(play)
    checker = play.round.checkers.bit_length() - 1
    owner = owner_of(Role.VERIFIER, checker)
    mirror.call("withdraw", free(mirror, owner), sender=owner)
    play.vote_all(["update", "pass", "update"])
    assert not play.reveal(1, checker)
    mirror.compare()


SLOW_COURTS = replace(SLOW, vote=100, reveal=100, challenge=100, jcommit=200, jreveal=200)


def test_who_was_convicted_since_the_vote_is_beyond_challenge(ground: Ground) -> None:
    mirror, play = lively(ground, windows=SLOW_COURTS)
    to_soft(play, "update")
    to_vote(play)
    play.vote_all(["update", "update"])
    judged(play, Ruling.GUILTY_GROSS)
    play.reveal_all()
    mirror.compare()
    assert play.round.phase is Phase.CHALLENGE and play.round.challenged == 0b11
    assert {dispute.item.slot for dispute in mirror.model.docket(2, 1).disputes} == {1}


def test_a_checker_that_is_convicted_already_is_not_slashed_for_silence(ground: Ground) -> None:
    mirror, play = lively(ground, windows=SLOW_COURTS, audit_rate=ALWAYS, verifier_seats=3)
    for _ in range(2):
        to_soft(play)
    for number in (1, 2):
        play.end_challenges(number)
    mirror.compare()
    assert mirror.model.convicted(Role.VERIFIER) == 0b111
    assert stake(mirror, Role.VERIFIER, 0) == MONEY.verifier_stake - MONEY.verifier_slash


def test_the_second_vote_is_without_convicts(ground: Ground) -> None:
    mirror, play = lively(ground, windows=SLOW_COURTS, audit_rate=ALWAYS)
    to_vote(play)
    play.wait_for(play.round.phase_end)
    mirror.call("poke", 1, sender=STRANGER)
    play.vote_all()
    play.reveal_all()
    assert play.round.revealed == 0b11111
    to_vote(play)
    convict = min(seat for seat in range(5) if not play.round.checkers >> seat & 1)
    play.post_all(1, but=convict)
    play.end_challenges(1)
    assert mirror.model.convicted(Role.VERIFIER) == 1 << convict
    play.wait_for(play.round.phase_end)
    mirror.call("poke", 2, sender=STRANGER)
    mirror.compare()
    assert play.round.attempt == 1 and play.round.checkers == 0b11111 & ~(1 << convict)


def convicted_in_round_1(ground: Ground, then: Ruling) -> Mirror:
    """Trainer 0 is challenged in two rounds; the jury of the first convicts it before that of the second rules."""
    mirror, play = lively(ground, windows=SLOW_COURTS)
    to_soft(play, "update")
    to_soft(play, "update")
    for juror in range(5):
        for number, ruling in ((1, Ruling.GUILTY_GROSS), (2, then)):
            if mirror.model.docket(number, 1).jurors >> juror & 1:
                play.jcommit(number, 1, juror, [ruling])
    play.jury_reveals()
    assert not play.dockets(DocketPhase.JREVEAL)
    play.end_challenges(2)
    mirror.compare()
    return mirror


def test_who_is_convicted_elsewhere_is_not_paid_for_what_it_was_cleared_of(ground: Ground) -> None:
    mirror = convicted_in_round_1(ground, then=Ruling.CLEAN)
    state = mirror.model.state.rounds[1]
    assert mirror.model.outcome(2).cleared == 0b01
    assert state.phase is Phase.FINAL and state.paid == 0b10


def test_nobody_is_slashed_twice(ground: Ground) -> None:
    mirror = convicted_in_round_1(ground, then=Ruling.GUILTY_GROSS)
    assert mirror.model.outcome(2).guilty[Role.TRAINER] == 0b01
    assert stake(mirror, Role.TRAINER, 0) == MONEY.trainer_stake - MONEY.trainer_slash


def test_the_pay_that_a_convict_forfeits_burns_though_it_was_cleared_there(ground: Ground) -> None:
    mirror = convicted_in_round_1(ground, then=Ruling.CLEAN)
    slashed = MONEY.trainer_slash - MONEY.trainer_bounty_cap
    challengers = len(mirror.model.docket(2, 1).disputes[0].challengers)
    jury = 4 * MONEY.juror_fee  # all seats but the first challenger's, paid out of the lost bonds
    burned_bonds = challengers * (FULL_BOND - MONEY.cleared) - jury
    dust = MONEY.trainer_bounty_cap % challengers
    assert burned(mirror) == slashed + dust + burned_bonds + MONEY.price
